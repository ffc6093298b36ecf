"""Draws the pictures of the README: `python scripts/draw_front_page.py docs/images/front`.

Follows the rabbit of the shipped clip from one click on a frame where it stands. Writes `click.webp`, the animated
picture: the click and the object found, beside them the cut-out; and stills of the same run for Python (`result.jpg`)
and the command line (`frames.jpg`).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

import camn
from camn import api
from camn.media.overlay import draw_overlay

AT, CLICK = 48, (436, 507)  # the frame, and the place on it
SIZE = (416, 234)  # of each half, width and height
GROUND = (24, 26, 32)
EVERY = 2  # of the clip's 25 frames a second


def half(image: np.ndarray) -> Image.Image:
    return Image.fromarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA))


def cut(image: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The objects on a plain ground, soft along the edge."""
    alpha = cv2.GaussianBlur((ids > 0).astype(np.float32), (0, 0), 1.0)[..., None]
    return (image * alpha + np.float32(GROUND) * (1 - alpha)).astype(np.uint8)


def clicked(picture: Image.Image, across: int) -> Image.Image:
    """With the place of the click, the ring `across` pixels wide."""
    picture = picture.copy()
    x, y = CLICK[0] * SIZE[0] / 1280, CLICK[1] * SIZE[1] / 720
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x - across / 2, y - across / 2, x + across / 2, y + across / 2), outline="white", width=3)
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill="white", outline="black")
    return picture


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    both = Image.new("RGB", (SIZE[0] * 2, SIZE[1]))
    both.paste(left, (0, 0))
    both.paste(right, (SIZE[0], 0))
    return both


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    clip, _ = api.demo_files()
    with tempfile.TemporaryDirectory() as run:
        made = Path(run) / "run"
        options = api.demo_options()
        camn.segment_video(clip, None, made, options, marks=camn.Marks({1: [CLICK]}, at=AT), overlay=False, json=False)
        masks = [np.asarray(Image.open(path)) for path in sorted((made / "masks").glob("*.png"))[AT:]]
    frames = [frame.image for frame in api.open_source(clip)][AT:]
    empty = Image.new("RGB", SIZE, GROUND)
    first = half(frames[0])
    shown = [(beside(first, empty), 700), *((beside(clicked(first, wide), empty), 80) for wide in (44, 36, 28, 20))]
    found = half(draw_overlay(frames[0], masks[0]))
    shown.append((beside(clicked(found, 20), half(cut(frames[0], masks[0]))), 900))
    for frame, ids in list(zip(frames, masks, strict=True))[::EVERY]:
        shown.append((beside(half(draw_overlay(frame, ids)), half(cut(frame, ids))), 40 * EVERY))
    pictures, times = zip(*shown, strict=True)
    pictures[0].save(
        out / "click.webp", save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=55, method=6
    )
    at = [round(number * (len(frames) - 1) / 3) for number in range(4)]
    row = np.concatenate([np.asarray(half(draw_overlay(frames[n], masks[n]))) for n in at], axis=1)
    Image.fromarray(row).save(out / "frames.jpg", quality=80)
    last = at[2]
    beside(half(frames[last]), half(cut(frames[last], masks[last]))).save(out / "result.jpg", quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
