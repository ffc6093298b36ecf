"""J of each kind of made hard clips, for several ways to run a model, side by side.

    python scripts/make_hard_clips.py DAVIS hard --set scenes
    python bench/hard.py hard --short-side 288 --variant "--no-track-loss --no-small-objects" --variant "" [--only ...]

Each `--variant` is a column: options as `camn evaluate` takes them; those that stand outside go for all columns. The
kind of a clip is its name up to the last dash; its J is the mean over its frames but the first and last.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from camn import api
from camn.cli import command_of
from camn.commands.measuring import Evaluate
from camn.datasets.davis import DavisFolder
from camn.errors import CamnError, ConfigError
from camn.media.outputs import write_json
from camn.speed.process import describe_machine

YEAR, SPLIT = "2017", "val"
TAKEN = {"model", "workers", "device", "preset", "options"}  # of camn evaluate


def kind_of(name: str) -> str:
    return name.rpartition("-")[0] or name


def chosen(dataset: Path, only: Sequence[str], folder: Path) -> Path:
    """A folder of the clips of these kinds alone, all if there are none, linked to those of `dataset`."""
    names = [sequence.name for sequence in DavisFolder(dataset, YEAR, SPLIT).sequences]
    kinds = sorted({kind_of(name) for name in names})
    if wrong := sorted(set(only) - set(kinds)):
        raise ConfigError(f"--only {wrong[0]}: {dataset} has no clips of this kind; there are {', '.join(kinds)}")
    lists = folder / "ImageSets" / YEAR
    lists.mkdir(parents=True)
    (lists / f"{SPLIT}.txt").write_text("".join(f"{name}\n" for name in names if not only or kind_of(name) in only))
    for kind in ("JPEGImages", "Annotations"):
        (folder / kind).symlink_to((dataset / kind).resolve())
    return folder


def evaluation(options: Sequence[str]) -> Evaluate:
    """What `camn evaluate` would do with these options. Raises ConfigError."""
    asked = command_of(["evaluate", "DATASET", *options])
    assert isinstance(asked, Evaluate)
    given = {name for name, value in vars(asked).items() if value != getattr(Evaluate(asked.dataset), name)}
    if wrong := sorted(given - TAKEN):
        raise ConfigError(f"--{wrong[0]} is none of the options that clips are compared by; use camn evaluate for it")
    return asked


def measure(dataset: Path, asked: Evaluate) -> dict[str, float]:
    """J of each clip, 0..1, the mean over its objects."""
    how = {name: getattr(asked, name) for name in ("model", "workers", "device", "options")}
    found = api.evaluate(dataset, year=YEAR, split=SPLIT, **how)
    assert found.scores is not None
    return {sequence.name: sequence.j.mean for sequence in found.scores.sequences}


def by_kind(clips: dict[str, float]) -> dict[str, float]:
    """The mean over the clips of each kind, and that of all clips as `mean`."""
    kinds = defaultdict(list)
    for name, value in clips.items():
        kinds[kind_of(name)].append(value)
    return {kind: float(np.mean(values)) for kind, values in kinds.items()} | {
        "mean": float(np.mean([*clips.values()]))
    }


def table(head: str, columns: dict[str, dict[str, float]]) -> str:
    """Markdown, in percent."""
    rows = [[head, *(f"`{options}`" if options else "none" for options in columns)], ["---"] * (len(columns) + 1)]
    for name in next(iter(columns.values())):
        rows.append([name, *(f"{100 * values[name]:.1f}" for values in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def run(args: argparse.Namespace, common: list[str]) -> None:
    asked = {options: evaluation([*common, *shlex.split(options)]) for options in args.variant or [""]}
    machine, outside = describe_machine(next(iter(asked.values())).device), shlex.join(common)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        dataset = chosen(args.dataset, args.only, Path(folder))
        for options, one in asked.items():
            found[options] = measure(dataset, one)
            print(f"{options or 'none'}: J {100 * by_kind(found[options])['mean']:.1f}", file=sys.stderr, flush=True)
            if args.json:  # after each: a run may take hours
                variants = [{"options": o, "kinds": by_kind(clips), "clips": clips} for o, clips in found.items()]
                write_json(args.json, {"common": outside, "machine": machine, "variants": variants})
    print(table("kind", {options: by_kind(clips) for options, clips in found.items()}))
    if args.clips:
        print("\n" + table("clip", found))
    print(f"\nJ{f', all with `{outside}`' if outside else ''}; {machine}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--variant", action="append", metavar="OPTIONS", help="a column; several")
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND")
    parser.add_argument("--clips", action="store_true", help="a second table, of each clip")
    parser.add_argument("--json", type=Path, help="file for the figures (.json)")
    given = list(arguments)  # argparse takes no value that begins with a dash, but behind an equals sign
    while "--variant" in given[:-1]:
        k = given.index("--variant")
        given[k : k + 2] = [f"--variant={given[k + 1]}"]
    try:
        run(*parser.parse_known_args(given))
    except CamnError as error:
        print(f"hard: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
