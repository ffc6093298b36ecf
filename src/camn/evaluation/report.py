"""The report of an evaluation: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from camn.datasets.sequence import VideoSequence
from camn.evaluation.charts import chart, line_style
from camn.evaluation.protocol import Protocol
from camn.evaluation.scores import Scores, SequenceScores
from camn.evaluation.statistics import Statistics
from camn.evaluation.worst import picture, worst_frames
from camn.evaluation.youtube import YoutubeVosScores
from camn.files import encoded, write_whole

PAGE = Path(__file__).parent / "page"
COLUMNS = ("sequence", "objects", "frames", "J&F", "J", "J recall", "J decay", "F", "F recall", "F decay")


def write_report(
    path: str | Path,
    scores: Scores,
    sequences: Sequence[VideoSequence],
    predictions: str | Path,
    protocol: Protocol,
    facts: Mapping[str, str],
    pictures: int = 12,
) -> Path:
    """Figures, a table of sequences, J over time and the worst frames; whole or not at all.

    facts: what stands in the head, such as model, frames/s, machine: name -> text. Style, script, charts and pictures
    are in the file itself: opening it asks no server for anything. Raises OutputError; DataError for masks and frames
    that can no longer be read.
    """
    worst = _worst(scores, sequences, Path(predictions), protocol, pictures)
    body = "\n".join([_head(scores, facts), worst, _table(scores), _charts(scores)])
    style, script = ((PAGE / name).read_text("utf-8") for name in ("report.css", "report.js"))
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(scores.title)}: J&amp;F {_percent(scores.jf)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
<script>
{script}</script>
</body>
</html>
"""
    write_whole(Path(path), encoded(text))
    return Path(path)


def _head(scores: Scores, facts: Mapping[str, str]) -> str:
    figures = {"J&F mean": scores.jf}
    for name, found in (("J", scores.j), ("F", scores.f)):
        figures |= {f"{name} mean": found.mean, f"{name} recall": found.recall, f"{name} decay": found.decay}
    if isinstance(scores, YoutubeVosScores):
        parts = {name.replace("_", " ").capitalize(): value for name, value in scores.totals.items()}
        figures = {"G, overall": scores.overall} | parts | figures
    tiles = "".join(
        f'<div class="figure"><b data-figure="{escape(name, quote=True)}">{_percent(value)}</b>'
        f"<span>{escape(name)}</span></div>"
        for name, value in figures.items()
    )
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    counts = f"{_count(len(scores.sequences), 'sequence')}, {_count(len(scores.objects), 'object')}; in percent"
    return (
        f'<header><h1>{escape(scores.title)}</h1><p class="soft">{counts}</p>'
        f'<div class="figures">{tiles}</div><dl class="facts">{lines}</dl></header>'
    )


def _worst(
    scores: Scores, sequences: Sequence[VideoSequence], predictions: Path, protocol: Protocol, count: int
) -> str:
    by_name, objects = {s.name: s for s in sequences}, {s.name: [o.id for o in s.objects] for s in scores.sequences}
    items = []
    for frame in worst_frames(scores, count):
        sequence = by_name[frame.sequence]
        url, (width, height) = picture(sequence, frame.index, predictions, protocol, objects[frame.sequence])
        several = ", ".join(f"object {i}: {_percent(j)}" for i, j in frame.objects) if len(frame.objects) > 1 else ""
        said = f"{frame.sequence}, frame {frame.index}: J {_percent(frame.j)}"
        items.append(
            f'<figure><img src="{url}" width="{width}" height="{height}" alt="{escape(said, quote=True)}">'
            f"<figcaption><b>{escape(said)}</b>{f' ({several})' if several else ''}</figcaption></figure>"
        )
    key = (
        '<ul class="key"><li><i class="tint"></i>the prediction, in a colour for each object</li>'
        '<li><i class="truth"></i>outline of the truth</li></ul>'
    )
    return f'<section><h2>Worst frames</h2>{key}<div class="grid3">{"".join(items)}</div></section>'


def _table(scores: Scores) -> str:
    head = "".join(f'<th scope="col"><button type="button">{escape(name)}</button></th>' for name in COLUMNS)
    rows = "".join(
        f'<tr><th scope="row" data-value="{escape(s.name, quote=True)}">'
        f'<a href="#{_anchor(s)}">{escape(s.name)}</a></th>'
        f"{_cells(len(s.objects), s.frames, s.jf, s.j, s.f)}</tr>"
        for s in scores.sequences
    )
    total = _cells(len(scores.objects), sum(s.frames for s in scores.sequences), scores.jf, scores.j, scores.f)
    return (
        '<section><h2>Sequences</h2><p class="soft" id="about-table">In percent; a sequence is the mean of its '
        "objects, the total the mean of all objects. Press the head of a column to sort by it.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Sequences"><table aria-describedby="about-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        f'<tfoot><tr><th scope="row">all</th>{total}</tr></tfoot></table></div></section>'
    )


def _cells(objects: int, frames: int, jf: float, j: Statistics, f: Statistics) -> str:
    values = (jf, j.mean, j.recall, j.decay, f.mean, f.recall, f.decay)
    counts = "".join(f'<td data-value="{count}">{count}</td>' for count in (objects, frames))
    return counts + "".join(f'<td data-value="{value!r}">{_percent(value)}</td>' for value in values)


def _charts(scores: Scores) -> str:
    cards = "".join(
        f'<div class="card" id="{_anchor(s)}"><h3>{escape(s.name)}</h3>{chart(s)}{_legend(s)}</div>'
        for s in scores.sequences
    )
    return f'<section><h2>J over time</h2><div class="grid2">{cards}</div></section>'


def _legend(sequence: SequenceScores) -> str:
    items = []
    for k, item in enumerate(sequence.objects):
        swatch = (
            f'<svg viewBox="0 0 26 10" aria-hidden="true"><line {line_style(k)} x1="0" x2="26" y1="5" y2="5"/></svg>'
        )
        what = f"object {item.id}" + (f" ({item.category})" if item.category else "")
        items.append(f"<li>{swatch}{escape(what)}: J {_percent(item.j.mean)}, F {_percent(item.f.mean)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _anchor(sequence: SequenceScores) -> str:
    return f"s-{escape(sequence.name.replace(' ', '-'), quote=True)}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"
