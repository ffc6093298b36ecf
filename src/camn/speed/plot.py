"""Results as one picture: SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from camn.speed.clock import REST, STAGES
from camn.speed.measurement import Measurement
from camn.speed.plan import Point, Sweep
from camn.speed.results import Results
from camn.speed.targets import GB

WIDTH, HEIGHT = 400, 240  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 384, 36, 196  # of what is drawn in it
BAR, LABEL, END = 22, 210, 700  # height of a bar with its gap, where bars begin and end
COLOURS = dict(zip((*STAGES, REST), ("#76b7b2", "#4e79a7", "#f28e2b", "#e15759", "#59a14f", "#b07aa1", "#9c9c9c")))
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.soft{fill:#777}.grid{stroke:#e3e3e3}"
    ".line{fill:none;stroke:#4e79a7;stroke-width:2}.other{stroke:#e15759;stroke-dasharray:6 4}"
    ".dot{fill:#4e79a7}.dot.other{fill:#e15759;stroke:none}"
)
Series = Sequence[tuple[float, float]]
_WORDS: dict[Sweep, str] = {"objects": "objects", "sides": "shorter side", "lengths": "frames"}


def draw(results: Results) -> str:
    """<svg>: seconds and memory along each sweep, along the longest run, and bars of the time by stage."""
    rows = [panels for panels in (_pair(results, "objects"), _pair(results, "sides"), _length(results)) if panels]
    parts = [
        f'<g transform="translate({column * WIDTH} {row * HEIGHT})">{panel}</g>'
        for row, panels in enumerate(rows)
        for column, panel in enumerate(panels)
    ]
    top = len(rows) * HEIGHT
    bars, height = _bars(results)
    parts.append(f'<g transform="translate(0 {top})">{bars}</g>')
    size = f'viewBox="0 0 {2 * WIDTH} {top + height}" width="{2 * WIDTH}" height="{top + height}"'
    label = escape(f"What camn costs: {results.plan.base}", quote=True)
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}"><style>{STYLE}</style>'
    return f"{head}{ground}{''.join(parts)}</svg>\n"


def _pair(results: Results, sweep: Sweep) -> list[str]:
    """Seconds and memory along a sweep; nothing of fewer than two points."""
    along = results.along(sweep)
    if len(along) < 2:
        return []

    def series(value: Callable[[Measurement], float]) -> Mapping[str, Series]:
        if sweep == "objects":
            return {"": [(p.objects, value(m)) for p, m in along.items()]}
        work = results.plan.base.work
        if not results.plan.made:
            return {"": [(p.work, value(m)) for p, m in along.items()]}
        own = [(p.side, value(m)) for p, m in along.items() if p.work == p.side]
        fixed = [(p.side, value(m)) for p, m in along.items() if p.work == work]
        return {"worked on at their size": own} | ({f"worked on at {work}": fixed} if len(fixed) > 1 else {})

    words = _WORDS[sweep]
    return [
        _panel("seconds per frame", words, series(lambda found: found.seconds)),
        _panel("peak memory, GB", words, series(lambda found: found.peak / GB)),
    ]


def _length(results: Results) -> list[str]:
    """Seconds and memory along the longest run."""
    longest = results.longest()
    if not longest or len(longest[1].parts) < 2:
        return []
    parts = longest[1].parts
    seconds = {"": [(part.last + 1, part.seconds) for part in parts]}
    memory = {"": [(part.last + 1, part.peak / GB) for part in parts]}
    words = f"frames of a run of {longest[0].frames}"
    return [_panel("seconds per frame", words, seconds), _panel("peak memory until then, GB", words, memory)]


def _panel(title: str, words: str, series: Mapping[str, Series]) -> str:
    points = [point for values in series.values() for point in values]
    right, top = max(x for x, _ in points), _round_up(max(y for _, y in points))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return round(LEFT + x / right * (RIGHT - LEFT), 1), round(BOTTOM - y / top * (BOTTOM - TOP), 1)

    parts = [f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>']
    for k in range(5):
        value = top * k / 4
        y = place((0, value))[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:.3g}</text>')
    for x in _apart(sorted({x for x, _ in points}), right):
        parts.append(f'<text class="soft" x="{place((x, 0))[0]}" y="{BOTTOM + 16}" text-anchor="middle">{x:g}</text>')
    middle = (LEFT + RIGHT) / 2
    parts.append(f'<text class="soft" x="{middle}" y="{BOTTOM + 34}" text-anchor="middle">{escape(words)}</text>')
    for k, (name, values) in enumerate(series.items()):
        kind = " other" if k else ""
        at = [place(point) for point in values]
        parts.append(f'<polyline class="line{kind}" points="{" ".join(f"{x},{y}" for x, y in at)}"/>')
        for (x, y), (given, value) in zip(at, values):
            parts.append(
                f'<circle class="dot{kind}" cx="{x}" cy="{y}" r="3"><title>{given:g}: {value:.3f}</title></circle>'
            )
        if name:
            parts.append(f'<circle class="dot{kind}" cx="{LEFT + 12}" cy="{TOP + 10 + 16 * k}" r="3"/>')
            parts.append(f'<text x="{LEFT + 20}" y="{TOP + 14 + 16 * k}">{escape(name)}</text>')
    return "".join(parts)


def _bars(results: Results) -> tuple[str, int]:
    """A bar for each point, parted by stage -> its drawing and height."""
    shown = list(results.measured.items())
    longest = max((sum(found.stages.values()) for _, found in shown), default=1.0)
    parts = ['<text class="title" x="16" y="20">seconds per frame by stage</text>']
    for k, (name, colour) in enumerate(COLOURS.items()):
        parts.append(f'<rect x="{16 + 90 * k}" y="32" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{32 + 90 * k}" y="42">{name}</text>')
    for row, (point, found) in enumerate(shown):
        y = 56 + row * BAR
        parts.append(
            f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(_difference(point, results))}</text>'
        )
        x = float(LABEL)
        for name, seconds in found.stages.items():
            width = seconds / longest * (END - LABEL)
            title = f"<title>{name} {seconds:.3f} s</title>"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="17" fill="{COLOURS[name]}">{title}</rect>'
            )
            x += width
        parts.append(f'<text class="soft" x="{x + 6:.1f}" y="{y + 13}">{sum(found.stages.values()):.3f}</text>')
    return "".join(parts), 68 + len(shown) * BAR


def _difference(point: Point, results: Results) -> str:
    """A point by what tells it from the base."""
    base = results.plan.base
    said = [point.model] if point.model != base.model or point == base else []
    said += [point.backend] if point.backend != base.backend else []
    said += [f"{point.objects} objects"] if point.objects != base.objects else []
    resized = (point.side, point.work) != (base.side, base.work)
    said += [f"{point.side} high"] if point.side != base.side else []
    said += [f"worked on at {point.work}"] if resized and point.work != point.side else []
    said += [f"{point.frames} frames"] if point.frames != base.frames else []
    return ", ".join(said)


def _apart(values: Sequence[float], right: float) -> list[float]:
    """Those whose labels do not touch, the last one first."""
    kept: list[float] = []
    for value in reversed(values):
        if not kept or (kept[-1] - value) / right * (RIGHT - LEFT) >= 40:
            kept.append(value)
    return kept


def _round_up(value: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten: its quarters are short numbers."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * (1 - 1e-9))
