"""Peak memory after 200 and after 2,000 frames, each in a process of its own: it must not grow with length.

python bench/memory.py [--short 200] [--long 2000] [--height 480 --width 854] [--short-side 480]
"""

import argparse
import resource
import subprocess
import sys

from common import describe_machine, moving_frames

import camn


def measure(args: argparse.Namespace) -> None:
    segmenter = camn.load(args.model, device="cpu", short_side=args.short_side)
    frames = moving_frames(args.frames, args.height, args.width, objects=2)
    segmenter.start(*next(frames))
    for frame, _ in frames:
        segmenter.step(frame)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=200)
    parser.add_argument("--long", type=int, default=2000)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=854)
    parser.add_argument("--short-side", type=int, default=480, help="size at which the network works")
    parser.add_argument("--model", default="camn-mobile")
    parser.add_argument("--frames", type=int, default=0, help="measure this process over so many frames")
    args = parser.parse_args()
    if args.frames:
        measure(args)
        return
    print(describe_machine())
    peaks = []
    for frames in (args.short, args.long):
        command = [sys.executable, __file__, *sys.argv[1:], "--frames", str(frames)]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]))
        size = f"{args.height}x{args.width} at short side {args.short_side}"
        print(f"{args.model}, {size}, 2 objects, {frames} frames: peak {peaks[-1]:.0f} MiB")
    print(f"growth {100 * (peaks[1] / peaks[0] - 1):+.1f}%")


if __name__ == "__main__":
    main()
