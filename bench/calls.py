"""Calls of torch's dispatcher for one frame, and values read from the device, in the form that runs on a GPU: by the
number of objects. Needs no GPU; a call costs some 5 to 10 microseconds of the host on any.

python bench/calls.py [--model camn-mobile ...] [--objects 1 2 10] [--height 480 --width 854]
"""

import argparse
import sys
from pathlib import Path

import torch

from camn import lean
from camn.config import NETWORKS, InferenceConfig, network_preset
from camn.inference import Segmenter
from camn.model.build import build_network
from camn.speed.calls import Counted

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
from one_frame import calls_of_a_frame  # noqa: E402


def a_frame(model: str, objects: int, size: tuple[int, int]) -> Counted:
    torch.manual_seed(0)
    config = InferenceConfig(short_side=min(size), max_side=max(size), backend="eager")
    segmenter = Segmenter(lean.at_once(build_network(network_preset(model)).eval()), config)
    return calls_of_a_frame(segmenter, objects, size, objects + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", nargs="+", default=["camn-mobile"], choices=NETWORKS)
    parser.add_argument("--objects", nargs="+", type=int, default=[1, 2, 10])
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=854)
    options = parser.parse_args()
    for model in options.model:
        for objects in options.objects:
            seen = a_frame(model, objects, (options.height, options.width))
            print(f"{model}, {objects} objects: {seen.calls} calls, {len(seen.reads)} values read", flush=True)


if __name__ == "__main__":
    main()
