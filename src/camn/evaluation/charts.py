"""J over time as a line chart: SVG to stand in a page, whose style sheet gives the colours."""

from __future__ import annotations

from html import escape

from camn.evaluation.scores import ObjectScores, SequenceScores

WIDTH, HEIGHT = 380, 168
LEFT, RIGHT, TOP, BOTTOM = 34, 372, 10, 132  # of the plot
COLOURS = 8  # classes c0 to c7; beyond these lines are dashed
DASHES = ("", "7 4", "2 3", "9 3 2 3")


def chart(sequence: SequenceScores) -> str:
    """<svg> of J, 0 to 1, of every object over the frames of the sequence."""
    first = min(item.frames[0] for item in sequence.objects)
    last = max(item.frames[-1] for item in sequence.objects)
    said = "; ".join(f"object {item.id}: mean {100 * item.j.mean:.1f}" for item in sequence.objects)
    label = escape(f"J over time of {sequence.name}. {said}", quote=True)
    lines = "".join(_line(item, k, first, last) for k, item in enumerate(sequence.objects))
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{_axes(first, last)}{lines}</svg>'


def line_style(k: int) -> str:
    """Attributes of the k-th object's line, in the chart and in its legend."""
    dash = DASHES[k // COLOURS % len(DASHES)]
    return f'class="line c{k % COLOURS}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _axes(first: int, last: int) -> str:
    parts = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = _y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{100 * value:.0f}</text>')
    for index in sorted({first, (first + last) // 2, last}):
        x = _x(index, first, last)
        anchor = "start" if index == first < last else "end" if index == last > first else "middle"
        parts.append(f'<text x="{x}" y="{BOTTOM + 16}" text-anchor="{anchor}">{index}</text>')
    middle = (LEFT + RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">frame</text>')
    return "".join(parts)


def _line(item: ObjectScores, k: int, first: int, last: int) -> str:
    points = [(_x(index, first, last), _y(value)) for index, value in zip(item.frames, item.j_values)]
    title = f"<title>object {item.id}: J {100 * item.j.mean:.1f}</title>"
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle class="dot c{k % COLOURS}" cx="{x}" cy="{y}" r="3">{title}</circle>'
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline {line_style(k)} points="{path}">{title}</polyline>'


def _x(index: int, first: int, last: int) -> float:
    share = (index - first) / (last - first) if last > first else 0.5
    return round(LEFT + share * (RIGHT - LEFT), 1)


def _y(value: float) -> float:
    return round(BOTTOM - value * (BOTTOM - TOP), 1)
