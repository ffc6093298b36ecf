"""The mean of weights files of one network, as shipped for camn-mobile: its last two stages share a start, and their
mean holds what either alone forgets (Wortsman et al. 2022, "Model soups").

    python scripts/average_weights.py OUT.safetensors IN.safetensors IN.safetensors ...
"""

import sys
from pathlib import Path

from camn import weights


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    files = [weights.read(path) for path in sys.argv[2:]]
    if any(file.config != files[0].config for file in files):
        sys.exit("the files are of different networks; only weights of one network have a mean")
    mean = {key: sum(file.state[key] for file in files) / len(files) for key in files[0].state}
    notes = {"mean of": ", ".join(f"{file.path.stem} {file.sha256[:12]}" for file in files)}
    weights.write(Path(sys.argv[1]), files[0].config, mean, notes)


if __name__ == "__main__":
    main()
