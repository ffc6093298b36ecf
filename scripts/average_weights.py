"""The mean of weights files, as shipped for camn-mobile: stages that share a start hold in their mean what either alone
forgets (Wortsman et al. 2022, "Model soups").

    python scripts/average_weights.py OUT.safetensors IN.safetensors IN.safetensors ...

The result is of the first file's network. A part that others have not, such as `edges`, is the mean of those that have
it.
"""

import sys
from pathlib import Path
from typing import Any

from camn import weights
from camn.config import NetworkConfig


def without_edges(config: NetworkConfig) -> dict[str, Any]:
    described = config.as_dict()
    return described | {"ensembler": {**described.get("ensembler", {}), "edges": 0}}


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    files = [weights.read(path) for path in sys.argv[2:]]
    if any(without_edges(file.config) != without_edges(files[0].config) for file in files):
        sys.exit("the files are of different networks; only weights of one network have a mean")
    mean = {}
    for key in files[0].state:
        having = [file.state[key] for file in files if key in file.state]
        mean[key] = sum(having) / len(having)
    for file in files[1:]:
        if unknown := file.state.keys() - mean.keys():
            sys.exit(f"{file.path} has {min(unknown)}, which {files[0].path} lacks; name the larger network first")
    notes = {"mean of": ", ".join(f"{file.path.stem} {file.sha256[:12]}" for file in files)}
    weights.write(Path(sys.argv[1]), files[0].config, mean, notes)


if __name__ == "__main__":
    main()
