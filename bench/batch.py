"""Throughput of camn batch by number of workers and by engine, and what each video costs beside segmenting.

python bench/batch.py [--videos 8] [--frames 20] [--height 240 --width 426] [--workers 1 2] [--engines local ray]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from camn.api import SegmentOptions
from camn.cluster.batch import run_batch
from camn.cluster.options import BatchOptions
from camn.evaluation.speed import describe_machine
from camn.masks import write_palette_png


def make_videos(folder: Path, count: int, frames: int, height: int, width: int) -> Path:
    """Two textured discs that move over a textured ground, as JPEG files -> a manifest."""
    rng = np.random.default_rng(0)
    ground, paint = (cv2.resize(rng.integers(0, 255, (12, 20, 3), np.uint8), (width, height)) for _ in range(2))
    rows, columns = np.mgrid[:height, :width]
    lines = []
    for number in range(count):
        video = folder / f"{number:03d}"
        video.mkdir()
        for index in range(frames):
            ids = np.zeros((height, width), np.uint8)
            for k in (1, 2):
                x, y = width * (0.2 * k + 0.3 * index / frames), height * (0.3 * k + 0.01 * number)
                ids[(columns - x) ** 2 + (rows - y) ** 2 < (height / 8) ** 2] = k
            image = np.where(ids[..., None] > 0, paint // 2 + 40 * ids[..., None], ground)
            cv2.imwrite(str(video / f"{index:05d}.jpg"), image)
            if index == 0:
                write_palette_png(folder / f"{video.name}.png", ids)
        lines.append(json.dumps({"video": video.name, "masks": f"{video.name}.png"}))
    (folder / "jobs.jsonl").write_text("\n".join(lines))
    return folder / "jobs.jsonl"


def measure(jobs: Path, out: Path, options: SegmentOptions, batch: BatchOptions) -> tuple[float, float, float, int]:
    """(seconds in all, seconds not in any video's work by worker, seconds beside segmenting by video, frames)."""
    began = time.monotonic()
    done = run_batch(jobs, out, options, batch)
    wall = time.monotonic() - began
    if done.failed:
        raise SystemExit(f"failed: {done.failed}")
    records = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    alone = {name: json.loads((out / name / "run.json").read_text())["seconds"] for name in records}
    start = wall - sum(record["seconds"] for record in records.values()) / (batch.workers or 1)
    # The median leaves out the first video of each worker, in which the model is loaded.
    beside = statistics.median(records[name]["seconds"] - alone[name] for name in records)
    return wall, start, beside, done.frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--width", type=int, default=426)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=["local", "ray"])
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    options = SegmentOptions(short_side=args.height, threads=1, backend="eager", overlay=False)
    print(describe_machine())
    print(f"{args.videos} videos of {args.frames} frames, {args.height}x{args.width}, 2 objects; one thread per worker")
    print("engine   workers  seconds  videos/s  frames/s   gain   start  per video")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = make_videos(folder, args.videos, args.frames, args.height, args.width)
        first = None
        for engine in args.engines:
            for workers in args.workers:
                batch = BatchOptions(engine=engine, workers=workers, cpus_per_worker=1)
                wall, start, beside, frames = measure(jobs, folder / f"{engine}-{workers}", options, batch)
                first = first or wall
                print(
                    f"{engine:<8}{workers:>8}{wall:>9.1f}{args.videos / wall:>10.3f}{frames / wall:>10.2f}"
                    f"{first / wall:>7.2f}{start:>7.2f}s{1000 * beside:>9.0f}ms",
                    flush=True,
                )
    print("start: seconds of each worker that are in no video (its process, its libraries; Ray itself once)")
    print("per video: milliseconds beside reading, segmenting and writing frames: checks, masks, moving into place")


if __name__ == "__main__":
    main()
