"""Results in words: Markdown that reads well as plain text, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from camn.speed.clock import REST, STAGES
from camn.speed.measurement import Measurement
from camn.speed.plan import SWEEPS, Point, Sweep
from camn.speed.results import Results
from camn.speed.targets import GB, findings

Rows = Sequence[Sequence[str]]
_SIZE = ("frame size", lambda point, found: f"{point.side}x{point.width} at {point.work}")
_FIRST: Mapping[Sweep, tuple[str, Callable[[Point, Measurement], str]]] = {
    "objects": ("objects", lambda point, found: str(point.objects)),
    "sides": _SIZE,
    "lengths": ("length", lambda point, found: str(point.frames)),
    "models": ("model", lambda point, found: point.model + (" (random weights)" if found.weights == "random" else "")),
    "backends": ("backend", lambda point, found: _backend(point, found)),
}


def report(results: Results) -> str:
    """The whole as Markdown: machine, targets, a table for each sweep."""
    parts = ["# What camn costs", _where(results), f"{results.source} The base point: {results.plan.base}."]
    if disturbed := [f"{point}: {100 * m.others:.0f}%" for point, m in results.measured.items() if m.disturbed]:
        parts.append(f"Measure again on a quiet machine: other programs had of its cores, at {'; '.join(disturbed)}.")
    if not results.done:
        parts.append("Not all points were measured.")
    if found := findings(results):
        rows = [(f.what, f"{f.limit:g}{f.unit}", f"{f.value:.2f}{f.unit}", f.verdict) for f in found]
        parts += ["## Targets", table(("what", "at most", "measured", ""), rows)]
    for sweep in SWEEPS:
        along = results.along(sweep)
        if len(along) > 1 or (sweep == "models" and along):
            parts += [f"## By {_FIRST[sweep][0]}", _sweep(sweep, along)]
    longest = results.longest()
    if longest and len(longest[1].parts) > 1:
        parts += [f"## Along {longest[0].frames} frames", _parts(longest[1])]
    if results.failed:
        parts += ["## Not measured", "\n".join(f"- {point}: {reason}" for point, reason in results.failed.items())]
    return "\n\n".join(parts) + "\n"


def line(point: Point, found: Measurement) -> str:
    """One point in one line."""
    ran = "" if found.backend == point.backend else f" ({found.backend})"
    stages = ", ".join(f"{name} {seconds:.3f}" for name, seconds in found.stages.items())
    return (
        f"{point}{ran}: {found.seconds:.3f} s/frame (90% within {found.p90:.3f}), "
        f"{found.frames_per_second:.2f} frames/s, {found.peak / GB:.2f} GB; {stages}"
        f"{f'; disturbed: other programs had {100 * found.others:.0f}% of the cores' if found.disturbed else ''}"
    )


def table(head: Sequence[str], rows: Rows) -> str:
    """Markdown; figures stand right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def join(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([join(head), join(rule), *map(join, rows)])


def _where(results: Results) -> str:
    """The machine in a sentence."""
    on, set = results.machine, results.settings
    gpu = f"{on['gpu']}, " if "gpu" in on else ""
    return (
        f"{gpu}{on['cpu']}, {on['cores']} cores, {on['memory'] / GB:.0f} GB memory, threads {set['threads']}, "
        f"device {set['device']}; camn {on['camn']}, torch {on['torch']}, Python {on['python']}, {on['system']}; "
        f"{on['date']}."
    )


def _sweep(sweep: Sweep, along: Mapping[Point, Measurement]) -> str:
    name, first = _FIRST[sweep]
    head = (name, "s/frame", "90%", "frames/s", "peak GB", *STAGES, REST)
    return table(head, [(first(point, found), *_figures(found)) for point, found in along.items()])


def _figures(found: Measurement) -> list[str]:
    whole = [f"{found.seconds:.3f}", f"{found.p90:.3f}", f"{found.frames_per_second:.2f}", f"{found.peak / GB:.2f}"]
    return [*whole, *(f"{found.stages[name]:.3f}" for name in (*STAGES, REST))]


def _parts(found: Measurement) -> str:
    rows = [(f"{p.first + 1} to {p.last + 1}", f"{p.seconds:.3f}", f"{p.peak / GB:.3f}") for p in found.parts]
    return table(("frames", "s/frame", "peak GB until then"), rows)


def _backend(point: Point, found: Measurement) -> str:
    return point.backend if point.backend == found.backend else f"{point.backend}: {found.backend}"
