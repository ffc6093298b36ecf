"""Calls of torch's dispatcher for one frame, and values read from the device, in the form that runs on a GPU: by the
number of objects. Needs no GPU; a call costs some 5 to 10 microseconds of the host on any.

python bench/calls.py [--model camn-mobile ...] [--objects 1 2 10] [--height 480 --width 854]
"""

import argparse

import numpy as np
import torch

from camn import lean
from camn.config import NETWORKS, InferenceConfig, network_preset
from camn.inference import Segmenter
from camn.inference.result import strongest_of_all
from camn.model.build import build_network
from camn.speed.calls import Counted
from camn.speed.discs import moving_discs


def a_frame(model: str, objects: int, size: tuple[int, int]) -> Counted:
    """What a frame takes from its upload until its ids are on their way to the host."""
    torch.manual_seed(0)
    config = InferenceConfig(short_side=min(size), max_side=max(size), backend="eager")
    segmenter = Segmenter(lean.at_once(build_network(network_preset(model)).eval()), config)
    (first, mask), (second, _), (third, _) = moving_discs(3, *size, objects)
    segmenter.start(first, mask)
    segmenter.step(second)
    with Counted() as seen, torch.inference_mode():
        predicted = segmenter.predict(segmenter.upload(third))
        strongest_of_all(predicted.probabilities, size, None, together=len(predicted.probabilities))
        segmenter.accept(predicted, np.zeros(size, np.uint8))
    return seen


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
