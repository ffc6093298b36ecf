"""Draws clips of a recipe to look at: `python scripts/contact_sheet.py RECIPE OUT.png [--items 8] [--first 0]`.

A row for each clip: its frames, the labels drawn over them, and without `--plain` nothing else. `--set NAME=CHANCE`
puts a value in place of the recipe's, such as `--set track=1 alike=0` to see one kind of clip.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
from pathlib import Path

import numpy as np
from PIL import Image

from camn.clips.dataset import ClipDataset, ClipSample
from camn.datasets.stills import StillsFolder
from camn.media.overlay import draw_overlay
from camn.training.loader import training_videos
from camn.training.recipe import Recipe, load_stages


def dataset(recipe: Recipe, changes: list[str]) -> ClipDataset:
    """The clips of a recipe, in the order of training. changes: NAME=VALUE of `[clips]` or its `appearance`."""
    given = {name: ast.literal_eval(value) for name, value in (change.split("=", 1) for change in changes)}
    looks = {f.name for f in dataclasses.fields(recipe.clips.appearance)}
    appearance = dataclasses.replace(recipe.clips.appearance, **{k: v for k, v in given.items() if k in looks})
    rest = {k: v for k, v in given.items() if k not in looks}
    clips = dataclasses.replace(recipe.clips, appearance=appearance, **rest)
    return ClipDataset(
        training_videos(recipe), StillsFolder(recipe.stills) if recipe.stills else None, clips, seed=recipe.seed
    )


def row(clip: ClipSample, opacity: float) -> np.ndarray:
    """(H, T * W, 3): the frames of a clip beside each other, objects tinted and outlined, ignored pixels white."""
    drawn = []
    for frame, labels in zip(clip.frames.numpy().transpose(0, 2, 3, 1), clip.labels.numpy(), strict=True):
        picture = draw_overlay(frame, np.where(labels == 255, 0, labels), opacity)
        drawn.append(np.where((labels == 255)[..., None], 255, picture))
    return np.hstack(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--opacity", type=float, default=0.3, help="of the objects' tint; 0 draws outlines only")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    data = dataset(load_stages(args.recipe)[-1], args.set)
    rows = []
    for index in range(args.first, args.first + args.items):
        clip = data[index]
        rows.append(row(clip, args.opacity))
        print(f"{index}: {clip.objects} objects, {clip.source}")
    temporary = args.out.with_suffix(".tmp")
    Image.fromarray(np.vstack(rows)).save(temporary, format="PNG")
    os.replace(temporary, args.out)


if __name__ == "__main__":
    main()
