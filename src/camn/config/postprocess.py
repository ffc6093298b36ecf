"""How what a network found is mended before it is remembered. Checked when made."""

from __future__ import annotations

from dataclasses import dataclass, fields

from camn.errors import ConfigError


@dataclass(frozen=True)
class PostProcess:
    """Two switches and their thresholds: those named track_... are of track loss, those named small_... of small
    objects. A diameter is the longer side of the box around an object's mask. Shares are 0..1.

    track_distance, track_growth: a part of an object is far when no pixel of it lies within `track_distance` diameters
    of where the object was of late, and `track_growth` more for each frame since it was last seen there.
    track_least: the least diameter that is reckoned with, as a share of the frame's short side, so that small objects
    are not lost when the camera shakes. track_window: an object was "of late" wherever it was within so many frames up
    to its last, so that a part behind something may come out again. track_lost, track_confirm, track_confidence,
    track_area: an object that left is taken up again anywhere when it has been lost for `track_lost` frames and the
    same part of it was found on `track_confirm` frames in succession, with a mean probability of at least
    `track_confidence` and of at least `track_area` times its last area.

    small_area: an object is small when the mask that the user gave is below this share of the frame. small_context:
    side of the crop, in diameters; small_least: its least side, in pixels of the frame. small_work: side in pixels at
    which the network works on crops; an object whose crop has grown to that at work is small no longer. small_change:
    the crop keeps its side until the diameter has grown or shrunk by this factor. small_lost: the object is lost to the
    crop when less than this share of its last area is found there, or more than its last area by this share; what was
    found on the whole frame stands then, and the crop goes where that is.
    """

    track_loss: bool = False  # remove parts of an object that lie far from where it was
    small_objects: bool = False  # segment objects with a small mask again, on enlarged crops of the frames
    track_distance: float = 1.0  # how far a part may lie from where the object was, in object diameters
    track_growth: float = 0.1  # as much farther for each frame since the object was last seen, in diameters
    track_least: float = 0.05  # least diameter reckoned with, share of the frame's short side
    track_window: int = 25  # frames up to the last seen whose masks count as where the object was
    track_lost: int = 5  # frames that an object must have been lost before it is taken up anywhere
    track_confirm: int = 3  # frames in succession on which it must be found there
    track_confidence: float = 0.7  # least mean probability of what is taken up
    track_area: float = 0.25  # least area of what is taken up, share of the object's last area
    small_area: float = 0.002  # an object whose mask is below this share of the frame is small
    small_context: float = 4.0  # side of the crop, in object diameters
    small_least: int = 64  # least side of the crop, in pixels of the frame
    small_work: int = 241  # side at which the network works on crops, in pixels
    small_change: float = 1.5  # the crop keeps its side until the diameter has changed by this factor
    small_lost: float = 0.2  # what a crop finds does not count below this share of its last area, nor above its inverse

    def __post_init__(self):
        for name, least, most in (
            *((field.name, 0, None) for field in fields(self) if field.name.startswith(("track_", "small_"))),
            ("track_window", 1, None),
            ("track_confirm", 1, None),
            ("track_confidence", 0, 1),
            ("small_area", 0, 1),
            ("small_context", 1, None),
            ("small_least", 8, None),
            ("small_work", 33, None),
            ("small_change", 1, None),
            ("small_lost", 0, 1),
        ):
            value = getattr(self, name)
            if not value >= least or (most is not None and value > most):
                span = f"{least} or more" if most is None else f"{least}..{most}"
                raise ConfigError(f"{name} is {value}: it must be {span}")
