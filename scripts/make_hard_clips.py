"""Makes hard clips with known answers, of videos that are not trained on: what the six development sequences lack.

    python scripts/make_hard_clips.py DAVIS OUT [--set drawn|scenes] [--year 2016 --split val] [--each N] [--frames N]
    camn evaluate OUT

drawn: of each kind 6 clips of 16 frames, made as training clips are. `alike`, a moving copy of an object that comes out
from behind it, crosses or leaves it; `several`, objects of other videos pasted in frame by frame, as further objects or
before and behind them; `bars`, a passage behind poles or a fence.
scenes: 20 clips of 40 frames, each staged to show one difficulty: `twin`, `part`, `occluder`, `return`, `shrink` and
`cut`, told in hard_clips/kinds.py; `python bench/hard.py OUT` measures them by kind.
OUT, in the layout of DAVIS 2017, is whole or not there.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hard_clips.kinds import scenes
from PIL import Image

from camn.clips.dataset import Appearance, ClipDataset, ClipOptions, Motion
from camn.clips.scenes import Film
from camn.datasets.layouts import open_videos
from camn.datasets.sequence import VideoSequence
from camn.errors import CamnError, OutputError
from camn.files import replacing, writing
from camn.masks import IGNORE, write_palette_png

BASE = ClipOptions(
    size=(289, 513),
    max_objects=4,
    min_area=0.004,
    gap=(2, 2),
    video_scale=(0.85, 1.1),
    motion=Motion().times(0.25),
    ripple=0.0,
    paste=0.0,
    twin=0.0,
    appearance=Appearance(flicker=0.01, grey=0.0, blur=0.0),
)
DRAWN = {
    "alike": replace(BASE, alike=1.0),
    "several": replace(BASE, track=1.0, tracks=3),
    "bars": replace(BASE, bars=1.0),
}


def drawn(videos: Sequence[VideoSequence], frames: int, seed: int, each: int) -> Iterator[tuple[str, Film]]:
    """(name, film) of clips made as those for training."""
    for own, (kind, options) in enumerate(DRAWN.items(), seed):
        clips = ClipDataset(videos, None, replace(options, frames=frames), seed=own)
        for number in range(each):
            clip = clips[number]
            yield f"{kind}-{number + 1}", ([*clip.frames.numpy().transpose(0, 2, 3, 1)], [*clip.labels.numpy()])


def write(out: Path, clips: Iterable[tuple[str, Film]]) -> None:
    """In the layout of DAVIS 2017, whole or not at all. Raises OutputError, also where there is something already."""
    with writing(out):
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise OutputError(f"{out}: there is something already; name a new folder, or empty this one")
        out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as part:
        try:
            names = [_write_clip(part, name, film) for name, film in clips]
            lists = part / "ImageSets/2017"
            lists.mkdir(parents=True)
            (lists / "val.txt").write_text("".join(f"{name}\n" for name in names))
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _write_clip(root: Path, name: str, film: Film) -> str:
    frames, masks = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for t, (frame, labels) in enumerate(zip(*film, strict=True)):
        Image.fromarray(frame).save(frames / f"{t:05d}.jpg", quality=92)
        write_palette_png(masks / f"{t:05d}.png", np.where(labels == IGNORE, 0, labels))
    print(f"{name}: {len(film[0])} frames, objects {np.unique(film[1][0])[1:].tolist()}", flush=True)
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", choices=("drawn", "scenes"), default="drawn")
    parser.add_argument("--year", default="2016")
    parser.add_argument("--split", default="val")
    parser.add_argument("--each", type=int, help="clips of each kind: 6 drawn; of scenes 4 or 3")
    parser.add_argument("--frames", type=int, help="16 drawn, 40 of scenes")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    try:
        videos = open_videos(args.davis, args.split, args.year).sequences
        if args.set == "drawn":
            clips = drawn(videos, args.frames or 16, args.seed, args.each or 6)
        else:
            clips = scenes(videos, args.frames or 40, args.seed, args.each)
        write(args.out, clips)
    except CamnError as error:
        print(f"make_hard_clips: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
