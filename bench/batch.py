"""Throughput of camn batch by number of workers and by engine, and what each video costs beside segmenting.

python bench/batch.py [--videos 8] [--frames 20] [--height 240 --width 426] [--workers 1 2] [--engines local ray]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camn.api import SegmentOptions
from camn.cluster.batch import run_batch
from camn.cluster.options import BatchOptions
from camn.masks import write_palette_png
from camn.speed.process import describe_machine


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


@dataclass(frozen=True)
class Row:
    """seconds in all. start: not in any video's work, by worker. beside: segmenting, by video. others: share of all
    cores that other processes than these had."""

    seconds: float
    start: float
    beside: float
    frames: int
    others: float


def measure(jobs: Path, out: Path, options: SegmentOptions, batch: BatchOptions) -> Row:
    began, busy, own = time.monotonic(), _busy(), _own()
    done = run_batch(jobs, out, options, batch)
    wall = time.monotonic() - began
    others = ((_busy() - busy) - (_own() - own)) / (wall * (os.cpu_count() or 1))
    if done.failed or done.stopped:
        log = (out / "_batch" / "log.txt").read_text()
        raise SystemExit(f"{done}\n{log}\n{'stopped' if done.stopped else f'failed: {done.failed}'}; the log is above")
    records = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    alone = {name: json.loads((out / name / "run.json").read_text())["seconds"] for name in records}
    start = wall - sum(record["seconds"] for record in records.values()) / (batch.workers or 1)
    # The median leaves out the first video of each worker, in which the model is loaded.
    beside = statistics.median(records[name]["seconds"] - alone[name] for name in records)
    return Row(wall, start, beside, done.frames, max(0.0, others))


def _busy() -> float:
    """Seconds of all cores together in which they had something to do, since some time."""
    user, nice, system, _, _, interrupts, soft, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Those that this process and its descendants had, those that have ended included."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            parents[int(entry.parent.name)] = int(fields[1])
            seconds[int(entry.parent.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    ours = front = {os.getpid()}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        ours = ours | front
    return sum(seconds.get(process, 0.0) for process in ours)


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
    print("engine   workers  seconds  videos/s  frames/s   gain   start  per video  others")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = make_videos(folder, args.videos, args.frames, args.height, args.width)
        first = None
        for engine in args.engines:
            for workers in args.workers:
                batch = BatchOptions(engine=engine, workers=workers, cpus_per_worker=1)
                row = measure(jobs, folder / f"{engine}-{workers}", options, batch)
                first = first or row.seconds
                print(
                    f"{engine:<8}{workers:>8}{row.seconds:>9.1f}{args.videos / row.seconds:>10.3f}"
                    f"{row.frames / row.seconds:>10.2f}{first / row.seconds:>7.2f}{row.start:>7.2f}s"
                    f"{1000 * row.beside:>9.0f}ms{100 * row.others:>7.0f}%",
                    flush=True,
                )
    print("start: seconds of each worker that are in no video (its process, its libraries; Ray itself once)")
    print("per video: milliseconds beside reading, segmenting and writing frames: checks, masks, moving into place")
    print("others: share of all cores that other processes had; above some 5% the figures say little")


if __name__ == "__main__":
    main()
