"""Cut-outs: for every object, the original colours with its probability as alpha."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from camn.errors import OutputError
from camn.files import ClosedAtEnd, replacing
from camn.media.movie import Encoding, Movie
from camn.media.outputs import prepare_output
from camn.media.source import Frame

ENCODINGS = {
    "prores": Encoding("mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
    # alternate reference frames do not go with alpha in VP9
    "vp9": Encoding("webm", "libvpx-vp9", "yuva420p", {
        "crf": "24", "b": "0", "auto-alt-ref": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1",
    }, square=True),
}  # fmt: skip
KINDS = ("png", *ENCODINGS)
MARGIN = 16  # pixels about what is to be seen that keep their colours in movies: as wide as the codecs' blocks


def cut_out(image: np.ndarray, probability: np.ndarray | None) -> np.ndarray:
    """image (H, W, 3) uint8 RGB and probability (H, W) in 0..1 -> (H, W, 4) uint8 RGBA, straight alpha.

    Without a probability everything is transparent.
    """
    if probability is None:
        alpha = np.zeros(image.shape[:2], np.uint8)
    else:
        alpha = np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8)
    return np.dstack([image, alpha])


def cleared(picture: np.ndarray) -> np.ndarray:
    """picture (H, W, 4) uint8 RGBA, black farther than MARGIN from all that is not transparent.

    In a movie what nobody sees would take most of the room and time, and show where a player knows no alpha."""
    near = cv2.dilate((picture[..., 3] > 0).astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8))
    return picture * near[..., None]


class AlphaWriter(ClosedAtEnd):
    """One output with alpha per object, below `folder`, by kind:

    png: ID/NAME.png, from the frame on which the object appears. prores: ID.mov, ProRes 4444 (10 bits, alpha 16).
    vp9: ID.webm. The videos have all the source's frames, transparent before the object appears, and black far from it.
    size, fps, tick: as for OverlayWriter. aspect: of a pixel, for the videos. Raises OutputError; see Movie for what
    happens on errors.
    """

    def __init__(
        self,
        folder: str | Path,
        kind: str,
        size: tuple[int, int],
        fps: Fraction | int = 24,
        tick: Fraction | None = None,
        aspect: Fraction = Fraction(1),
    ):
        if kind not in KINDS:
            raise OutputError(f"{folder}: unknown kind of alpha output {kind!r}; choose one of {', '.join(KINDS)}")
        self.folder, self.kind = prepare_output(folder), kind
        self.size, self.fps, self.tick, self.aspect = size, fps, tick, aspect
        self._movies: dict[int, Movie] = {}
        self._pictures: dict[int, Path] = {}
        self._times: list[tuple[Fraction | None, Fraction | None]] = []

    def write(self, frame: Frame, probabilities: Mapping[int, np.ndarray]) -> None:
        """probabilities: object id -> (H, W) in 0..1. An object once seen and now left out is transparent."""
        known = self._pictures if self.kind == "png" else self._movies
        for number in sorted({*known, *probabilities}):
            picture = cut_out(frame.image, probabilities.get(number))
            if self.kind == "png":
                self._write_png(number, frame.name, picture)
            else:
                self._movie(number).write(cleared(picture), frame.time, frame.duration)
        self._times.append((frame.time, frame.duration))

    def _write_png(self, number: int, name: str, picture: np.ndarray) -> None:
        if number not in self._pictures:
            self._pictures[number] = prepare_output(self.folder / str(number))
        with replacing(self._pictures[number] / f"{name}.png") as part:
            Image.fromarray(picture).save(part, compress_level=1)

    def _movie(self, number: int) -> Movie:
        if number not in self._movies:
            encoding = ENCODINGS[self.kind]
            path = self.folder / f"{number}.{encoding.container}"
            movie = self._movies[number] = Movie(path, encoding, self.size, self.fps, self.tick, self.aspect)
            empty = np.zeros((*self.size, 4), np.uint8)
            for when in self._times:
                movie.write(empty, *when)
        return self._movies[number]

    def close(self) -> None:
        """Ends all files, also when one of them fails. Raises OutputError."""
        with ExitStack() as stack:
            for movie in self._movies.values():
                stack.callback(movie.close)
