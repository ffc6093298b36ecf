"""How a batch scales with its workers: simulated from measured stage times, with stragglers, failures and a shared
storage. Prints a table and draws the curve.

python scripts/simulate_cluster.py --seconds-per-frame 0.4 [--videos 100000] [--frames 1800] [--svg FILE]

Each worker takes the next video when it is free. A video's input comes from one storage, whose bandwidth all share, and
is then decoded and segmented: the slower of these two counts, since they overlap. A worker may be slow for good
(straggler), and dies at random: its video is begun again by the next free worker, and another takes its place.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections import deque
from dataclasses import dataclass
from html import escape
from pathlib import Path

HOUR = 3600.0
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 620, 46, 336
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.soft{fill:#777}.grid{stroke:#e3e3e3}"
    ".ideal{fill:none;stroke:#9c9c9c;stroke-dasharray:6 4}.line{fill:none;stroke:#4e79a7;stroke-width:2}"
    ".dot{fill:#4e79a7}"
)


@dataclass(frozen=True)
class Cost:
    """seconds_per_frame: in the network; decode: reading a frame; write: of masks. per_video: seconds beside frames.
    start: seconds until a worker is ready. dispatch: seconds that the driver takes to hand out a video. megabytes: of a
    video's input and outputs; link, storage: megabytes/s of a worker's network and of the storage. spread: sigma of the
    log-normal by which videos differ. slow: share of workers that are stragglers, by `slowness`. deaths: of a worker,
    an hour; replace: seconds until another takes its place."""

    frames: int = 1800
    seconds_per_frame: float = 0.4
    decode: float = 0.005
    write: float = 0.005
    per_video: float = 0.05
    start: float = 5.0
    dispatch: float = 0.001
    megabytes: float = 40.0
    link: float = 120.0
    storage: float = 1000.0
    spread: float = 0.3
    slow: float = 0.05
    slowness: float = 2.0
    deaths: float = 0.01
    replace: float = 60.0

    def work(self, factor: float) -> float:
        """Seconds for a video once it is there. factor: of its length and of its worker's slowness."""
        return self.per_video + self.frames * factor * max(self.seconds_per_frame, self.decode, self.write)


@dataclass(frozen=True)
class Run:
    """hours: in all. busy: share of the workers' time in which they segmented what counts. waited: share in which they
    waited for the storage or the driver. lost: of videos begun again."""

    workers: int
    hours: float
    busy: float
    waited: float
    lost: int


def simulate(videos: int, workers: int, cost: Cost, seed: int = 0) -> Run:
    """One run, event by event: the worker that is free first takes the next video."""
    chance = random.Random(seed)
    slowness = [cost.slowness if chance.random() < cost.slow else 1.0 for _ in range(workers)]
    free = [(cost.start, number) for number in range(workers)]
    heapq.heapify(free)
    # The mean of a log-normal is 1 when its mu is -sigma^2/2.
    todo = deque(chance.lognormvariate(-(cost.spread**2) / 2, cost.spread) for _ in range(videos))
    driver = storage = end = busy = waited = 0.0
    lost = 0
    while todo:
        now, worker = heapq.heappop(free)
        size = todo.popleft()
        driver = handed = max(now, driver) + cost.dispatch
        # The storage serves one after the other at full speed, which for the sum is the same as all at once.
        storage = max(handed, storage) + cost.megabytes * size / cost.storage
        there = max(storage, handed + cost.megabytes * size / cost.link)
        seconds = cost.work(size * slowness[worker])
        death = chance.expovariate(cost.deaths / HOUR) if cost.deaths else math.inf
        if death < there - now + seconds:
            lost += 1
            todo.append(size)
            slowness[worker] = cost.slowness if chance.random() < cost.slow else 1.0
            heapq.heappush(free, (now + death + cost.replace + cost.start, worker))
            continue
        busy, waited, end = busy + seconds, waited + there - now, max(end, there + seconds)
        heapq.heappush(free, (there + seconds, worker))
    return Run(workers, end / HOUR, busy / (workers * end), waited / (workers * end), lost)


def bottleneck(cost: Cost) -> str:
    """How many workers each shared thing can feed, in words."""
    alone = cost.work(1.0) + cost.megabytes / cost.link
    return (
        f"a video takes a worker {alone:.0f} s; the storage feeds {cost.storage / cost.megabytes * alone:.0f} workers, "
        f"the driver {alone / cost.dispatch:.0f}; decoding would be the limit below {cost.decode:g} s/frame"
    )


def draw(runs: list[Run], videos: int, cost: Cost) -> str:
    """<svg>: videos an hour by workers, both logarithmic; dashed: each worker as fast as the first."""
    rates = [videos / run.hours for run in runs]
    ideal = [rates[0] / runs[0].workers * run.workers for run in runs]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(ideal)))
    first, last = math.log10(runs[0].workers), math.log10(runs[-1].workers)

    def place(workers: float, rate: float) -> str:
        x = LEFT + (math.log10(workers) - first) / max(last - first, 1e-9) * (RIGHT - LEFT)
        return f"{x:.1f},{BOTTOM - (math.log10(rate) - low) / max(high - low, 1) * (BOTTOM - TOP):.1f}"

    said = f"{videos:,} videos of {cost.frames} frames, {cost.seconds_per_frame:g} s/frame"
    parts = [f'<text class="title" x="16" y="24">Videos an hour by workers: {escape(said)}</text>']
    for power in range(low, high + 1):
        x, y = place(runs[0].workers, 10**power).split(",")
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{float(y) + 4}" text-anchor="end">{10**power:,}</text>')
    for run, rate in zip(runs, rates):
        x, y = place(run.workers, rate).split(",")
        title = f"{run.workers} workers: {run.hours:.1f} hours, {run.busy:.0%} busy"
        parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="3"><title>{title}</title></circle>')
        parts.append(f'<text class="soft" x="{x}" y="{BOTTOM + 18}" text-anchor="middle">{run.workers}</text>')
    for kind, values in (("ideal", ideal), ("line", rates)):
        points = " ".join(place(run.workers, value) for run, value in zip(runs, values))
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    parts.append(f'<text class="soft" x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 40}" text-anchor="middle">workers</text>')
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(said)}">'
    return f'{head}<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16, 64, 256, 1024, 4096])
    parser.add_argument("--svg", type=Path, help="file to draw to")
    parser.add_argument("--seed", type=int, default=0)
    for name, kind in Cost.__annotations__.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type={"int": int}.get(kind, float), default=getattr(Cost, name)
        )
    args = vars(parser.parse_args())
    cost = Cost(**{name: args[name] for name in Cost.__annotations__})
    print(bottleneck(cost))
    runs = [simulate(args["videos"], workers, cost, args["seed"]) for workers in args["workers"]]
    print(f"{'workers':>8}{'hours':>11}{'videos/h':>11}{'busy':>7}{'waited':>8}{'lost':>7}")
    for run in runs:
        rate = args["videos"] / run.hours
        print(f"{run.workers:>8}{run.hours:>11.1f}{rate:>11.0f}{run.busy:>7.0%}{run.waited:>8.0%}{run.lost:>7}")
    if args["svg"]:
        args["svg"].write_text(draw(runs, args["videos"], cost))


if __name__ == "__main__":
    main()
