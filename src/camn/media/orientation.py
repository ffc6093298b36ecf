"""Which way up a video's pictures are."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import av

_MATRIX_BYTES = 36


class Orientation(NamedTuple):
    """How stored pixels become upright: transposed first, then flipped."""

    transpose: bool = False
    flip_vertical: bool = False
    flip_horizontal: bool = False

    @classmethod
    def from_matrix(cls, matrix: bytes) -> Orientation:
        """From a display matrix, nine int32, rows (a b u) (c d v) (x y w): x' = a x + c y, y' = b x + d y.

        An angle that is no multiple of 90 degrees goes to the nearest one.
        """
        a, b, _, c, d = (int(v) for v in np.frombuffer(matrix, np.int32)[:5])
        if abs(b) > abs(a):
            return cls(True, b < 0, c < 0)
        return cls(False, d < 0, a < 0)

    @classmethod
    def from_degrees(cls, clockwise: int) -> Orientation:
        """From the clockwise turn that older files keep in a `rotate` tag."""
        turns = round(clockwise / 90) % 4
        return (cls(), cls(True, False, True), cls(False, True, True), cls(True, True, False))[turns]

    @classmethod
    def of(cls, frame: av.VideoFrame, stream: av.VideoStream | None = None) -> Orientation:
        """What the file says of it; upright where it says nothing, or nothing that makes sense."""
        matrix = _display_matrix(frame)
        if matrix is not None and len(matrix) >= _MATRIX_BYTES:
            return cls.from_matrix(matrix)
        tags = {key.lower(): value for key, value in (stream.metadata if stream else {}).items()}
        try:
            return cls.from_degrees(int(float(tags.get("rotate", 0))))
        except (ValueError, OverflowError):
            return cls()

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Stored (h, w, 3) -> upright (H, W, 3), contiguous."""
        image = image.swapaxes(0, 1) if self.transpose else image
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in self[1:])
        return np.ascontiguousarray(image[rows, columns])


def _display_matrix(frame: av.VideoFrame) -> bytes | None:
    """`frame.side_data` of PyAV up to 18.1 fails as a whole on a kind that its table lacks, such as a photo's EXIF.
    Made here, it holds what came before that kind; FFmpeg puts the matrix there."""
    from av.sidedata.sidedata import SideDataContainer

    known = SideDataContainer.__new__(SideDataContainer)
    with suppress(ValueError):
        known.__init__(frame)  # type: ignore[call-arg], which its stub leaves out
    matrix = known.get("DISPLAYMATRIX")
    return None if matrix is None else bytes(matrix)
