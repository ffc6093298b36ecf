"""What a model costs as the work grows: objects, size, length, models, backends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import camn
from camn import weights
from camn.api.benchmark.point import Order
from camn.api.models.load import cpu_threads
from camn.api.options import Notice, Progress, Report
from camn.config import NETWORKS, InferenceConfig
from camn.errors import CamnError, ConfigError
from camn.files import alone, encoded, write_whole
from camn.inference import resolve_device
from camn.masks import ObjectIds, read_masks
from camn.media.opening import open_source
from camn.media.outputs import prepare_output, write_json
from camn.speed.measurement import Measurement
from camn.speed.plan import SWEEPS, Plan, Point, Sweep, width_of
from camn.speed.plot import draw
from camn.speed.process import machine
from camn.speed.results import Results
from camn.speed.tables import line, report
from camn.speed.targets import Finding, findings

QUICK = {"objects": (1, 10), "sides": (240, 1080), "lengths": (200,), "models": (), "backends": ("auto",)}
FULL = {
    "objects": (1, 5, 10, 20),
    "sides": (240, 360, 720, 1080),
    "lengths": (100, 500, 2000),
    "models": NETWORKS,
    "backends": ("compile", "onnx", "auto"),  # in this order: auto takes compiled code only if there is some
}
MADE = (
    "Frames are made: textured discs that move over a textured ground. Every frame is computed in full; then its true "
    "mask is taken for the answer, so that each object stays on every frame whatever the weights, and all models and "
    "backends are fed the same."
)
FILM = "Frames are those of {video}. The model follows the objects by itself; with random weights the first mask stays."


@dataclass(frozen=True)
class Benchmark:
    """results: all that was measured. findings: targets it tells of. files: what was written."""

    results: Results
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def benchmark(
    out: str | Path = "benchmark-out",
    *,
    full: bool = False,
    sweeps: Sequence[Sweep] = (),
    models: Sequence[str] = (),
    backends: Sequence[str] = (),
    objects: Sequence[int] = (),
    sides: Sequence[int] = (),
    lengths: Sequence[int] = (),
    side: int = Point.side,
    frames: int | None = None,
    video: str | Path | None = None,
    mask: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
) -> Benchmark:
    """Measure seconds per frame, by stage, and peak memory, of points that differ in one thing from a base point, each
    in a fresh process; write benchmark.json, .md and .svg into `out`, anew after every point.

    The base: the first of `models` by the first of `backends`, 2 objects on frames of height `side` (480x854), `frames`
    of them (20; 40 if full). sweeps: what to vary: objects, sides, lengths, models, backends, over the values given,
    else over a few (minutes on two cores), or with `full` over many (hours). A known network without a file is measured
    with random weights, which cost the same. video, mask: frames of one's own in place of made ones; there `sides` are
    sizes to work at, and objects are those of the mask. notice: called with each point's figures in a line.
    Raises ConfigError, CheckpointError, VideoError, MaskError, OutputError; CamnError if no point could be measured.
    """
    preset = FULL if full else QUICK
    values = {"objects": objects, "sides": sides, "lengths": lengths, "models": models, "backends": backends}
    chosen = sweeps or SWEEPS
    values = {name: tuple(value or preset[name]) if name in chosen else () for name, value in values.items()}
    for name in models:
        if name not in NETWORKS:
            weights.find(name)
    for backend in backends:
        InferenceConfig(backend=backend)  # type: ignore[arg-type], which it checks
    base = Point(
        model=(*models, Point.model)[0],
        backend=(*backends, Point.backend)[0],
        side=side,
        width=width_of(side),
        work=side,
        frames=frames or (40 if full else Point.frames),
    )
    order = Order(base, str(resolve_device(device)), threads)
    if video is not None or mask is not None:
        base, order = _of_video(base, order, video, mask)
        values |= {"objects": (), "lengths": tuple(min(length, base.frames) for length in values["lengths"])}
    with alone(Path(out)):
        return _run(Plan(base, **values, made=not order.video), order, Path(out), progress, notice)


def _of_video(base: Point, order: Order, video: str | Path | None, mask: str | Path | None) -> tuple[Point, Order]:
    """The base point and the order, on the user's frames."""
    if video is None or mask is None:
        raise ConfigError("benchmark: a video needs the mask of its first frame, and the mask its video: give both")
    source = open_source(Path(video))
    given = read_masks(mask, source.names or ["000000"], source.size)
    if 0 not in given.masks:
        raise ConfigError(f"{mask}: has no mask of the first frame")
    height, width = source.size
    many = len(ObjectIds.of(given.masks[0]))
    frames = min(base.frames, (source.count or base.frames + 1) - 1)
    base = replace(base, objects=many, side=height, width=width, frames=max(1, frames))
    return base, replace(order, point=base, video=str(video), mask=str(mask))


def _run(plan: Plan, order: Order, out: Path, progress: Report, notice: Notice) -> Benchmark:
    prepare_output(out)
    with cpu_threads(order.threads) as threads:
        settings = {"device": order.device, "threads": threads, "video": order.video, "mask": order.mask}
    source = FILM.format(video=order.video) if order.video else MADE
    results = Results(plan, _machine(order.device), settings, source)
    points, started = plan.points(), time.monotonic()
    files = _write(out, results)
    for number, point in enumerate(points):

        def count(frame: int, number: int = number, point: Point = point) -> None:
            note = f"{point}: frame {frame}"
            progress(Progress(number, len(points), time.monotonic() - started, note))

        count(0)
        try:
            if point.backend != "eager":  # what is compiled or exported once, for all later runs, is no part of a run
                _measured(replace(order, point=replace(point, frames=1)), count)
            found = _measured(replace(order, point=point), count)
        except CamnError as error:
            results = replace(results, failed={**results.failed, point: str(error)})
            notice(f"{point}: not measured: {error}")
        else:
            results = replace(results, measured={**results.measured, point: found})
            notice(line(point, found))
        results = replace(results, done=number + 1 == len(points))
        _write(out, results)
    progress(Progress(len(points), len(points), time.monotonic() - started))
    if not results.measured:
        raise CamnError(f"no point could be measured: {next(iter(results.failed.values()))}")
    return Benchmark(results, tuple(findings(results)), files)


def _measured(order: Order, count: Callable[[int], None]) -> Measurement:
    """Measures in a fresh process. Raises what it says, and CamnError if it dies.

    When this call ends early it is killed; in the moment of its start it ends by itself, at a frame that nobody reads.
    """
    command = [sys.executable, "-m", "camn.api.benchmark.point", order.to_json()]
    said: dict[str, Any] = {}
    # A session of its own: Ctrl-C is for this process, which ends that one.
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                said = json.loads(text)
                if "frame" in said:
                    count(said["frame"])
        finally:
            if process.poll() is None and not said.keys() & {"measured", "error"}:
                process.kill()
    if "measured" in said:
        return Measurement.from_dict(said["measured"])
    if "error" in said:
        raise CamnError(said["error"])
    ended = f"by signal {signal.Signals(-process.returncode).name}" if process.returncode < 0 else process.returncode
    raise CamnError(f"the measuring process ended early ({ended}); killed, or out of memory: measure something smaller")


def _write(out: Path, results: Results) -> tuple[Path, ...]:
    """All that is known so far, each file whole."""
    files = out / "benchmark.json", out / "benchmark.md", out / "benchmark.svg"
    write_json(files[0], results.to_dict() | {"targets": [finding.to_dict() for finding in findings(results)]})
    write_whole(files[1], encoded(report(results)))
    write_whole(files[2], encoded(draw(results)))
    return files


def _machine(device: str) -> dict[str, Any]:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    return machine(device) | {"camn": camn.__version__, "date": moment}
