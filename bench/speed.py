"""Seconds per frame of a shipped model in eager mode, and where they go, at 480x854.

python bench/speed.py [--objects 2] [--frames 40] [--model camn-mobile]
"""

import argparse
import statistics
import time

import numpy as np
import torch
from common import describe_machine, moving_frames

import camn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=854)
    parser.add_argument("--model", default="camn-mobile")
    args = parser.parse_args()
    segmenter = camn.load(args.model, device="cpu")
    frames = moving_frames(args.frames + 1, args.height, args.width, args.objects)
    segmenter.start(*next(frames))
    seconds = []
    for frame, _ in frames:
        begin = time.perf_counter()
        segmenter.step(frame)
        seconds.append(time.perf_counter() - begin)
    print(describe_machine())
    print(f"{args.model}, {args.height}x{args.width}, {args.objects} objects, eager, {torch.get_num_threads()} threads")
    # The bank fills over the first frames; the second half is what a long video costs.
    settled = seconds[len(seconds) // 2 :]
    print(f"s/frame: median {statistics.median(settled):.3f}, 90th percentile {np.percentile(settled, 90):.3f}")


if __name__ == "__main__":
    main()
