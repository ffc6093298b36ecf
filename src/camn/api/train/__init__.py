"""Training of networks and of the fusion network, and the ablation."""
