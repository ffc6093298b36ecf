"""Makes hard clips with known answers, of videos that are not trained on: what the six development sequences lack.

    python scripts/make_hard_clips.py DAVIS OUT [--year 2016 --split val] [--each 6] [--frames 16]
    camn evaluate OUT

Of each kind so many: `alike`, a moving copy of an object that comes out from behind it, crosses or leaves it;
`several`, objects of other videos pasted in frame by frame, as further objects or before and behind them; `bars`, a
passage behind poles or a fence. They are made as training clips are, and written in the layout of DAVIS 2017.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from camn.clips.dataset import Appearance, ClipDataset, ClipOptions, Motion
from camn.datasets.layouts import open_videos
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
KINDS = {
    "alike": replace(BASE, alike=1.0),
    "several": replace(BASE, track=1.0, tracks=3),
    "bars": replace(BASE, bars=1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--year", default="2016")
    parser.add_argument("--split", default="val")
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    videos = open_videos(args.davis, args.split, args.year).sequences
    names = []
    for seed, (kind, options) in enumerate(KINDS.items(), args.seed):
        clips = ClipDataset(videos, None, replace(options, frames=args.frames), seed=seed)
        for number in range(args.each):
            clip, name = clips[number], f"{kind}-{number + 1}"
            names.append(name)
            for folder in (
                frames := args.out / "JPEGImages/480p" / name,
                masks := args.out / "Annotations/480p" / name,
            ):
                folder.mkdir(parents=True)
            for t, (frame, labels) in enumerate(zip(clip.frames.numpy(), clip.labels.numpy(), strict=True)):
                Image.fromarray(frame.transpose(1, 2, 0)).save(frames / f"{t:05d}.jpg", quality=92)
                write_palette_png(masks / f"{t:05d}.png", np.where(labels == IGNORE, 0, labels))
            print(f"{name}: {clip.objects} objects, {clip.source}")
    lists = args.out / "ImageSets/2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in names))


if __name__ == "__main__":
    main()
