"""Many videos, by processes of one machine or by a Ray cluster: see docs/reference/batch.md.

Imports nothing: the command shows its help without the network's libraries. `camn.cluster.batch.run_batch` does it.
"""
