"""A quarter of an hour on a GPU in one command: CUDA tests, figures, training to the last minute. See docs/lab/gpu.md.

python3 scripts/gpu_run.py [--out gpu-out] [--pack PACK.tar.gz ...] [--resume FOLDER] [--minutes 9.5] [--rehearse]

Runs from a checkout that is not installed, without a network, and where `av` and `tyro` are missing. What comes out are
seven files, none above 16 MiB: report.json, written after every step and now and then within; ema.safetensors and
raw.safetensors; log.jsonl; and the checkpoint in three parts, from which the next call goes on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "scripts")]  # so it runs from a checkout that is not installed
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))

import gpu_parts  # noqa: E402, beside this file

RECIPE = ROOT / "recipes/camn-mobile-gpu-short.toml"
STEPS = ("tests", "measure", "train")
RESERVE = 20.0  # seconds of the budget that are kept for the last checkpoint and its parts
KEEP_EVERY = 90.0  # seconds between copies of a running training's state
TAIL = 12_000  # characters of the tests' output that are kept


@dataclass(frozen=True)
class Plan:
    """How large all of it is. tests: words that choose checks. models, objects, side, frames: of the benchmark.
    changes: fields of the recipe."""

    device: str = "cuda"
    tests: tuple[str, ...] = ()
    models: tuple[str, ...] = ("camn-mobile", "cfbi-plus-r101")
    objects: tuple[int, ...] = (1, 2, 10)
    side: int = 480
    frames: int = 20
    changes: dict[str, Any] = field(default_factory=dict)


LITTLE = {"steps": 2, "batch": 2, "workers": 1, "clips": {"size": (97, 97), "frames": 2}}
REHEARSAL = Plan("cpu", ("camn-mobile", "demo-single", "waiting-1"), ("camn-mobile",), (1, 2), 64, 2, LITTLE)


class Report:
    """report.json in `folder`: what is known so far, whole at every moment."""

    def __init__(self, folder: Path, about: dict[str, Any]):
        self.path, self.content = folder / "report.json", {**about, "steps": {}}
        self.write()

    def write(self) -> None:
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.content, indent=2, default=str) + "\n")
        os.replace(part, self.path)

    def note(self, name: str, **found: Any) -> None:
        self.content["steps"].setdefault(name, {}).update(found)
        self.write()

    def step(self, name: str, do: Callable[[], dict[str, Any]]) -> bool:
        """Whether it went well; if not, the report says why, and the next step is free to try."""
        began = time.monotonic()
        print(f"== {name}", flush=True)
        self.note(name, state="running")
        try:
            found = {"state": "done", **do()}
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            found = {"state": "failed", "error": said, "trace": traceback.format_exc()[-3000:]}
        self.note(name, **found, seconds=round(time.monotonic() - began, 1))
        print(f"== {name}: {found['state']} {found.get('error', '')}", flush=True)
        return found["state"] == "done"


def run_tests(plan: Plan, seconds: float) -> dict[str, Any]:
    """The checks of tests/cuda, by pytest where that is installed."""
    command = [sys.executable, "tests/cuda/checks.py", plan.device, *plan.tests]
    if importlib.util.find_spec("pytest"):
        chosen = ["-k", " or ".join(plan.tests)] if plan.tests else []
        options = ["-m", "cuda", "-p", "no:cacheprovider", "--tb=short", "-v", "-rP"]
        command = [sys.executable, "-m", "pytest", *options, "tests/cuda", *chosen]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "CAMN_CHECK_DEVICE": plan.device, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        try:
            output, state = process.communicate(timeout=max(1.0, seconds))[0], ""
        except subprocess.TimeoutExpired:
            process.kill()
            output, state = process.communicate()[0], "cut off: its time was over"
    state = state or ("done" if process.returncode == 0 else "failed")
    print(output[-TAIL:], flush=True)
    return {"state": state, "command": command[1:], "output": output[-TAIL:]}


def measure(plan: Plan, seconds: float, folder: Path) -> dict[str, Any]:
    """`camn benchmark` over objects for each model; frames/s and the most memory that torch had on the device."""
    from camn import api

    until, found = time.monotonic() + seconds, {"figures": [], "failed": []}
    shutil.rmtree(folder, ignore_errors=True)  # figures of a former call

    def watch(progress: api.Progress) -> None:
        if time.monotonic() > until:
            raise TimeoutError("its time was over")

    for model in plan.models:
        sizes: dict[str, Any] = {"objects": plan.objects, "side": plan.side, "frames": plan.frames}
        try:
            api.benchmark(
                folder / model,
                models=(model,),
                sweeps=("objects",),
                **sizes,
                device=plan.device,
                progress=watch,
                notice=lambda note: print(note, flush=True),
            )
        except Exception as error:  # the figures of the points before it stay, and the next model is tried
            found["failed"].append(f"{model}: {error}")
        file = folder / model / "benchmark.json"
        for point in json.loads(file.read_text())["points"] if file.exists() else []:
            measured = point.pop("measured")
            speed = {"frames_per_second": measured["frames_per_second"], "peak_mib": measured["peak"] / 2**20}
            found["figures"].append({**point, **speed, "weights": measured["weights"], "stages": measured["stages"]})
    return {"state": "done" if not found["failed"] else "failed", **found}


def train(plan: Plan, seconds: float, data: Path, run: Path, out: Path, report: Report) -> dict[str, Any]:
    """By the recipe in the folder `run`, for so long; its state is copied to `out` now and then, and at the end."""
    from camn import api

    began = kept = time.monotonic()

    def watch(progress: api.Progress) -> None:
        nonlocal kept
        if time.monotonic() - kept > KEEP_EVERY:
            kept = time.monotonic()
            print(f"step {progress.done} of {progress.total}, {progress.rate:.2f} steps/s, {progress.note}", flush=True)
            report.note("train", step=progress.done, steps_per_second=progress.rate, **gpu_parts.keep(run, out))

    videos, stills = data / "davis2016-train", data / "stills"
    sources = {"videos": (str(videos),) if videos.is_dir() else (), "stills": str(stills) if stills.is_dir() else ""}
    if not any(sources.values()):
        raise FileNotFoundError("the packs hold neither davis2016-train/ nor stills/")
    first = gpu_parts.steps_in(run)
    try:
        minutes = max(0.05, (seconds - RESERVE) / 60)
        done = api.train(
            RECIPE, run, max_minutes=minutes, device=plan.device, progress=watch, **plan.changes, **sources
        )
    finally:
        files = gpu_parts.keep(run, out)
    rate = (done.step - first) / (time.monotonic() - began)
    return {
        "finished": done.finished,
        "step": done.step,
        "steps": done.steps,
        "first": first,
        "steps_per_second": round(rate, 3),
        "loss": done.loss,
        **files,
    }


def about(device: str) -> dict[str, Any]:
    """The machine, and what is missing on it."""
    import camn
    from camn.speed.process import machine

    missing = [name for name in ("av", "tyro", "pytest", "rich", "hypothesis") if not importlib.util.find_spec(name)]
    room = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 0
    moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"camn": camn.__version__, "date": moment, "machine": machine(device), "missing": missing, "shm": room}


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "gpu-out", help="folder for what comes out")
    parser.add_argument("--pack", type=Path, nargs="*", help="data packs; pack*.tar.gz in the checkout or beside it")
    parser.add_argument("--work", type=Path, help="folder for data and the run; runs/gpu, a rehearsal's is temporary")
    parser.add_argument(
        "--resume", type=Path, help="what a former call put out, to go on from; WORK or OUT if not given"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with, in place of the recipe's")
    parser.add_argument("--minutes", type=float, help="of this call, all steps together: 9.5, of a rehearsal 2")
    parser.add_argument("--only", default=",".join(STEPS), help="steps to do, of: tests,measure,train")
    parser.add_argument("--steps", type=int, help="of the training, in place of the recipe's; the same in each call")
    parser.add_argument("--rehearse", action="store_true", help="all of it, small, on the CPU")
    chosen = parser.parse_args(arguments)
    chosen.only = tuple(chosen.only.split(","))
    if unknown := sorted(set(chosen.only) - set(STEPS)):
        parser.error(f"--only {','.join(unknown)}: steps are {','.join(STEPS)}")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if all went well, 1 if a step failed: report.json tells which."""
    given, began = options(arguments), time.monotonic()
    plan = REHEARSAL if given.rehearse else Plan()
    said = {key: value for key in ("steps", "start") if (value := getattr(given, key))}
    plan = replace(plan, changes={**plan.changes, **said})
    minutes = given.minutes or (2 if given.rehearse else 9.5)
    given.out.mkdir(parents=True, exist_ok=True)

    def left(share: float = 1.0) -> float:
        return share * (began + 60 * minutes - time.monotonic())

    from camn.inference import resolve_device

    report = Report(given.out, {"arguments": vars(given)})
    good = report.step("machine", lambda: {"device": resolve_device(plan.device), **about(plan.device)})
    lasting = given.work or (None if given.rehearse else ROOT / "runs/gpu")
    with nullcontext(lasting) if lasting else tempfile.TemporaryDirectory(prefix="camn-gpu-") as work:
        data, figures, run = Path(work, "data"), Path(work, "figures"), Path(work, gpu_parts.run_name(given.start))
        data.parent.mkdir(parents=True, exist_ok=True)
        if "tests" in given.only:
            good &= report.step("tests", lambda: run_tests(plan, left(0.4)))
        if "measure" in given.only:
            good &= report.step("measure", lambda: measure(plan, left(0.4), figures))
        if "train" in given.only:
            good &= report.step("unpack", lambda: gpu_parts.unpack(given.pack, data, given.rehearse))
            good &= report.step(
                "resume", lambda: gpu_parts.bring(given.resume, None if given.start else given.out, run)
            )
            good &= report.step("train", lambda: train(plan, left(), data, run, given.out, report))
    report.note("all", state="done" if good else "failed", seconds=round(time.monotonic() - began, 1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
