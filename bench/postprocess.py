"""What post-processing brings where the answer is known: real objects over another sequence's picture at 1280x720.

python bench/postprocess.py DAVIS [--kind small twin] [--pixels 12 24 48 96] [--short-side 480] [--pictures DIR]

small: the object is shrunk to so many pixels (square root of its area: 96 are 1% of the frame) and moves; with
`--small-objects` and without.
twin: it is shrunk to 80 pixels, and from the third frame on its copy stands far away; with `--track-loss` and without.
DAVIS is a folder in DAVIS' layout, year 2016. pictures: the last frame of each, the frame, before and after.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import camn
from camn.config import PostProcess
from camn.datasets.davis import DavisFolder
from camn.datasets.sequence import VideoSequence
from camn.evaluation.jf import contour_accuracy, region_similarity

SIZE = (720, 1280)
TWIN = 80  # pixels
Scene = tuple[np.ndarray, np.ndarray]  # frame (H, W, 3), mask (H, W)


def cut_out(sequence: VideoSequence, index: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The object of a frame by itself, shrunk: (h, w, 3) and its share of each pixel (h, w)."""
    frame, mask = sequence.read(index)
    ys, xs = np.nonzero(mask)
    box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    frame, share = frame[box], mask[box].astype(np.float32)
    size = max(1, round(share.shape[1] * scale)), max(1, round(share.shape[0] * scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.resize(share, size, interpolation=cv2.INTER_AREA)


def placed(scene: Scene, top: int, left: int, part: np.ndarray, share: np.ndarray, own: bool = True) -> Scene:
    """With an object at (top, left); own: it belongs to the mask."""
    frame, mask = scene[0].copy(), scene[1].copy()
    where = np.s_[top : top + share.shape[0], left : left + share.shape[1]]
    frame[where] = (frame[where] * (1 - share[..., None]) + part * share[..., None]).round().astype(np.uint8)
    if own:
        mask[where] = share > 0.5
    return frame, mask


def scenes(sequence: VideoSequence, ground: np.ndarray, pixels: float, twin: bool, frames: int) -> Iterator[Scene]:
    scale = pixels / np.sqrt(np.count_nonzero(sequence.labels(0)))
    for t in range(min(frames, len(sequence))):
        part = cut_out(sequence, t, scale)
        sway = 6 * np.sin(t / 3), 6 * np.cos(t / 4)
        scene = ground, np.zeros(SIZE, np.uint8)
        if twin and t >= 2:
            scene = placed(scene, 350, 900, *part, own=False)
        yield placed(scene, round(300 + 2 * t + sway[0]), round(250 + 5 * t + sway[1]), *part)


def run(clip: list[Scene], short_side: int, post: PostProcess) -> tuple[float, float, np.ndarray]:
    """(J, F, the last answer), in percent, over all frames but the first and last."""
    segmenter = camn.load(short_side=short_side, post=post, backend="eager")
    segmenter.start(*clip[0])
    found = [segmenter.step(frame).ids > 0 for frame, _ in clip[1:]]
    pairs = [(ids, mask > 0) for ids, (_, mask) in zip(found[:-1], clip[1:-1])]
    scores = [[measure(*pair) for pair in pairs] for measure in (region_similarity, contour_accuracy)]
    return 100 * float(np.mean(scores[0])), 100 * float(np.mean(scores[1])), found[-1]


def picture(path: Path, scene: Scene, answers: list[np.ndarray]) -> None:
    """The frame, and each answer tinted over it, side by side, 640x360 each; of a small object what is around it."""
    frame, mask = scene
    left, top, width, height = cv2.boundingRect(mask)
    near = min(max(top + height // 2 - 45, 0), SIZE[0] - 90), min(max(left + width // 2 - 80, 0), SIZE[1] - 160)
    shown = np.s_[near[0] : near[0] + 90, near[1] : near[1] + 160] if max(width, height) < 80 else np.s_[:, :]
    tinted = [np.where(ids[..., None], frame // 3 + np.array([0, 170, 0], np.uint8), frame) for ids in answers]
    row = np.hstack([cv2.resize(p[shown], (640, 360), interpolation=cv2.INTER_AREA) for p in (frame, *tinted)])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), row[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--kind", nargs="+", choices=("small", "twin"), default=("small", "twin"))
    parser.add_argument("--pixels", nargs="+", type=float, default=(12, 24, 48, 96))
    parser.add_argument("--short-side", type=int, default=480)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--sequences", nargs="+")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    sequences = DavisFolder(args.davis, split=args.split).sequences
    print("| kind | pixels | sequence | J without | J with | F without | F with |\n| --- " + "| --- " * 6 + "|")
    for kind, pixels in [(k, p) for k in args.kind for p in (args.pixels if k == "small" else (TWIN,))]:
        without, post = (
            PostProcess(small_objects=on and kind == "small", track_loss=on and kind == "twin") for on in (False, True)
        )
        for sequence, other in zip(sequences, (*sequences[1:], sequences[0])):
            if args.sequences and sequence.name not in args.sequences:
                continue
            ground = cv2.resize(other.read(0)[0], SIZE[::-1], interpolation=cv2.INTER_CUBIC)
            clip = list(scenes(sequence, ground, pixels, kind == "twin", args.frames))
            (j, f, before), (better, finer, after) = (run(clip, args.short_side, p) for p in (without, post))
            row = (kind, f"{pixels:g}", sequence.name, *(f"{v:.1f}" for v in (j, better, f, finer)))
            print("|", " | ".join(row), "|", flush=True)
            if args.pictures:
                picture(args.pictures / f"{kind}-{pixels:g}-{sequence.name}.jpg", clip[-1], [before, after])


if __name__ == "__main__":
    main()
