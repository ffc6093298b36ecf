"""What a training step costs: calls, reads from the device, clips/s against older code; and what the loader makes.

python bench/training.py [--recipe recipes/camn-mobile-cpu-8.toml] [--size 257] [--against 73204bd] [--threads 1 2]
    [--steps 6] [--workers 15] [--parts calls speed loader] [--device auto] [--own-data] [--out FILE.json]

calls: of torch's dispatcher in a step (forward, backward, optimiser) at batches of 4 and of 32 clips with 1, 2 and 3
objects, and the values read from the device in it; 32 clips of 257x257 take 11 GB, see --size. speed: old and new code
take steps on the same batches in turn, each in a process of its own, after one to warm up; on a shared machine CPU time
says more than wall time. loader: by itself. Data are as in bench/loader.py; of a recipe with stages the last is taken.
`--against ""` leaves older code out.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loader import draw, open_plan  # beside this file

from camn import weights
from camn.api.own_process import keep_freed_memory
from camn.clips.dataset import ClipBatch, ClipSample, collate
from camn.inference import resolve_device
from camn.speed.calls import Counted
from camn.speed.discs import moving_discs
from camn.speed.process import describe_machine
from camn.training.distributed import Team
from camn.training.engine import Trainer
from camn.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
BATCHES = (4, 32)
PARTS = ("calls", "speed", "loader")
MOST = 1.3  # the ratio of calls that is allowed


# --- calls -----------------------------------------------------------------------------------------------------------


def discs(objects: int, frames: int, size: Sequence[int]) -> ClipSample:
    pictures, masks = zip(*moving_discs(frames, *size, objects), strict=True)
    moved = torch.from_numpy(np.stack(pictures)).movedim(-1, 1).contiguous()
    return ClipSample(moved, torch.from_numpy(np.stack(masks)), objects, f"{objects} discs")


def count(plan: Recipe, team: Team, folder: Path) -> dict[str, Any]:
    """By number of clips: calls, and the reads by name; and the ratio of the calls."""
    # Whether any clip looks at a predicted frame is chance, and likelier in a large batch: here each one does.
    plan = replace(plan, accumulate=1, recent=float(plan.recent > 0))
    found: dict[str, Any] = {"calls": {}, "reads": {}}
    for clips in BATCHES:
        batch = collate([discs(1 + k % 3, plan.clips.frames, plan.clips.size) for k in range(clips)])
        trainer = Trainer(replace(plan, batch=clips), folder / f"{clips}", team)
        trainer.update([batch])  # makes what is kept of windows, and the optimiser's state
        with Counted() as seen:
            late = trainer._stepped(trainer._differentiated([batch]))  # `update` but for reading its numbers
        late.read()
        found["calls"][clips], found["reads"][clips] = seen.calls, seen.reads
        print(f"batch {clips}: {seen.calls} calls, {len(seen.reads)} reads {' '.join(seen.reads)}", flush=True)
    few, many = (found["calls"][clips] for clips in BATCHES)
    print(f"ratio of calls {many / few:.3f} (at most {MOST})")
    return found | {"ratio": many / few}


# --- speed -----------------------------------------------------------------------------------------------------------


@dataclass
class Took:
    """Seconds of all steps together."""

    wall: float = 0.0
    cpu: float = 0.0

    def rates(self, clips: int) -> dict[str, float]:
        return {"clips_per_second": clips / self.wall, "clips_per_cpu_second": clips / self.cpu}


@contextmanager
def source_of(commit: str) -> Iterator[Path]:
    """The `src` of a commit, in a temporary folder."""
    found = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True)
    if found.returncode:
        sys.exit(f'--against {commit}: {found.stderr.decode().strip()}; name another commit, or "" for none')
    with tempfile.TemporaryDirectory(prefix="camn-old-") as folder:
        with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder, "src")


@contextmanager
def stepping(source: Path, work: Path, folder: Path, threads: int) -> Iterator[subprocess.Popen]:
    """A process of bench/steps.py by the code in `source`."""
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": f"{threads}"}
    command = [sys.executable, str(ROOT / "bench/steps.py"), str(work), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        try:
            answer(process)
            yield process
        finally:
            process.kill()


def answer(process: subprocess.Popen) -> Any:
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        sys.exit("bench/steps.py has ended: see above")
    return json.loads(line)


def step(process: subprocess.Popen) -> Took:
    assert process.stdin is not None
    process.stdin.write("step\n")
    process.stdin.flush()
    return Took(*answer(process))


def write_work(plan: Recipe, start: str, batches: Sequence[ClipBatch], device: str, threads: int, path: Path) -> None:
    """What both codes read: of the recipe only what is not the default, so that old code knows it."""
    about = ("name", "videos", "stills", "clips")  # not of a step
    said = {key: value for key, value in plan.as_dict().items() if key not in about and value != getattr(Recipe, key)}
    parts = [(batch.frames, batch.labels, batch.objects, batch.sources) for batch in batches]
    shape = {"size": plan.clips.size, "frames": plan.clips.frames}
    work = {"recipe": said, "clips": shape, "start": start, "device": device, "threads": threads, "batches": parts}
    torch.save(work, path)


def race(sources: dict[str, Path], work: Path, folder: Path, threads: int, steps: int) -> dict[str, Took]:
    """One step each in turn, after one to warm up."""
    took = {name: Took() for name in sources}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(stepping(source, work, folder / f"{name}-{threads}", threads))
            for name, source in sources.items()
        }
        for turn in range(steps + 1):
            for name, process in processes.items():
                one = step(process)
                if turn:
                    took[name] = Took(took[name].wall + one.wall, took[name].cpu + one.cpu)
    return took


def compare(plan: Recipe, start: str, team: Team, folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    batches, _ = draw(replace(plan, workers=1), team, (args.steps + 1) * plan.accumulate)
    rows = []
    with ExitStack() as stack:
        older = {"old": stack.enter_context(source_of(args.against))} if args.against else {}
        for threads in args.threads:
            work = folder / f"work-{threads}.pt"
            write_work(plan, start, batches, team.device.type, threads, work)
            took = race({**older, "new": ROOT / "src"}, work, folder, threads, args.steps)
            row: dict[str, Any] = {"threads": threads, "steps": args.steps, "against": args.against}
            row |= {name: one.rates(plan.batch * args.steps) for name, one in took.items()}
            for name in took:
                wall, cpu = row[name].values()
                print(f"{threads} threads, {name}: {wall:.3f} clips/s; {cpu:.3f} a second of CPU time", flush=True)
            if older:
                row["ratio"] = {key: row["new"][key] / row["old"][key] for key in row["new"]}
                wall, cpu = row["ratio"].values()
                print(f"{threads} threads: {wall:.2f} times {args.against} by the clock, {cpu:.2f} by CPU time")
            rows.append(row)
    return rows


# --- the loader, and all of it ---------------------------------------------------------------------------------------


def fill(plan: Recipe, team: Team, args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for workers in args.workers:
        _, made = draw(replace(plan, workers=workers), team, args.steps * plan.accumulate)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(f"loader, {workers} workers on {cores} cores: {made:.1f} clips/s", flush=True)
        rows.append({"workers": workers, "cores": cores, "clips_per_second": made})
    return rows


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/camn-mobile-cpu-8.toml")
    parser.add_argument("--size", type=int, help="side of the clips, 16 k + 1, in place of the recipe's")
    parser.add_argument("--against", default="73204bd", help="commit of the older code")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--workers", type=int, nargs="+", default=[15])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--own-data", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    return parser.parse_args()


def main() -> None:
    args = options()
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="camn-training-") as name:
        folder, team = Path(name), Team(device=resolve_device(args.device))
        plan = open_plan(args.recipe, folder, args.own_data)
        if args.size:
            plan = replace(plan, clips=replace(plan.clips, size=(args.size, args.size)))
        start = (
            plan.model if plan.model in weights.shipped() else ""
        )  # trained weights, each code its own: masks of a usual size
        print(describe_machine())
        shape = {"batch": plan.batch, "frames": plan.clips.frames, "size": plan.clips.size}
        about = {"recipe": plan.name, "model": plan.model, "device": team.device.type, **shape}
        print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
        found: dict[str, Any] = {"machine": describe_machine(), **about}
        if "calls" in args.parts:
            found |= count(plan, team, folder)
        if "speed" in args.parts:
            found["speed"] = compare(plan, start, team, folder, args)
        if "loader" in args.parts:
            found["loader"] = fill(plan, team, args)
    if args.out:
        args.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
