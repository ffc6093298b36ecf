"""The rows of the paper's ablation, and the table of what was measured beside the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean


@dataclass(frozen=True)
class Row:
    """name: short, for files and the command line. title: what it says in the table. part: of `camn.config.ablation`,
    the network trained for it. above: the row that it adds to. paper: overall score on YouTube-VOS 2019 val, if the
    paper has it. views, post, members: whether flip and scales, post-processing, and the ensemble are on; join: how it
    is joined."""

    name: str
    title: str
    part: str
    above: str = ""
    paper: float | None = None
    views: bool = False
    post: bool = False
    members: bool = False
    join: str = "mean"

    @property
    def cheap(self) -> bool:
        """Whether one network of ours is run once: these rows are measured for every seed, others for the first."""
        return not (self.views or self.members or self.part == "stm")


ROWS = (
    Row("baseline", "baseline (CFBI)", "baseline", paper=81.3),
    Row("fpn", "+ FPN (CFBI+)", "fpn", "baseline", 81.6),
    Row("pan", "+ PAN (path aggregation, FPA)", "pan", "fpn", 82.0),
    Row("context", "+ object context", "context", "pan", 82.1),
    Row("memory-a", "+ FG-BG memory, scheme (a)", "multiply", "context"),
    Row("memory-b", "+ FG-BG memory, scheme (b)", "prior", "context"),
    Row("stm", "STM alone", "stm"),
    Row("views", "(a) + flip and multi-scale", "multiply", "memory-a", 82.9, views=True),
    Row("post", "(a) + post-processing", "multiply", "memory-a", 81.5, post=True),
    Row("ensemble", "(a) + (b), context and STM, fused", "multiply", "memory-a", 83.6, members=True, join="fusion"),
    Row("final", "final: all of it", "multiply", "ensemble", 83.7, True, True, True, "fusion"),
)
MEMBERS = ("multiply", "prior", "context", "stm")  # parts whose networks are the ensemble's


@dataclass(frozen=True)
class Measured:
    """jf: J&F in 0..1. frames_per_second: in the networks. minutes: of training the row's own network, 0 if none."""

    jf: float
    frames_per_second: float
    minutes: float = 0.0


def ablation_table(found: Mapping[str, Mapping[int, Measured]], rows: Sequence[Row] = ROWS) -> str:
    """Markdown: each row's J&F in percent, its spread over seeds, what it adds to the row that it builds on, the
    paper's figures beside these. found: by row and seed; rows without any are marked as not measured."""
    head = "| row | J&F | seeds | adds | frames/s | trained, min | paper (YouTube-VOS) | adds |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    papers = {row.name: row.paper for row in rows}
    # In the paper all of the last four add to object context's row: it has none for the memory.
    papers |= {name: papers.get("context") for name in ("memory-a",) if papers.get(name) is None}
    for row in rows:
        there = found.get(row.name, {})
        paper, before = row.paper, papers.get(row.above)
        told = "" if paper is None else f"{paper:.1f}"
        more = f"{paper - before:+.1f}" if paper is not None and before is not None else ""
        lines.append(f"| {row.title} | {_measured(there)} | {_added(row, found)} | {_cost(there)} | {told} | {more} |")
    return "\n".join(lines) + "\n"


def _measured(there: Mapping[int, Measured]) -> str:
    """J&F with its spread | the values by seed."""
    values = [100 * one.jf for _, one in sorted(there.items())]
    if not values:
        return "not measured | "
    spread = f" ± {(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread} | {', '.join(f'{value:.1f}' for value in values)}"


def _added(row: Row, found: Mapping[str, Mapping[int, Measured]]) -> str:
    """The mean difference over the seeds that both rows have."""
    there, before = found.get(row.name, {}), found.get(row.above, {})
    both = [100 * (there[seed].jf - before[seed].jf) for seed in there if seed in before]
    return f"{mean(both):+.1f}" if both else ""


def _cost(there: Mapping[int, Measured]) -> str:
    if not there:
        return " | "
    minutes = mean(one.minutes for one in there.values())
    return f"{mean(one.frames_per_second for one in there.values()):.2f} | {f'{minutes:.0f}' if minutes else ''}"
