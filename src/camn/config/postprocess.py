"""How what a network found is mended before it is remembered: the list of steps, and their options. Checked when made.

A diameter is the longer side of the box around an object's mask. Shares are 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from camn.errors import ConfigError


def within(default: float, least: float = 0, most: float | None = None) -> Any:
    """An option with the least and the most that it may be."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Options of one step. step: its class, a `camn.inference.postprocess.Step`; named, not imported: options are read
    without the networks' libraries. switch: which of the options turns it on."""

    step = ""
    switch = ""

    def __post_init__(self):
        for option in fields(self):
            value, least, most = (getattr(self, option.name), *(option.metadata.get(end) for end in ("least", "most")))
            if least is None or (value >= least and (most is None or value <= most)):
                continue
            span = f"{least} or more" if most is None else f"{least}..{most}"
            raise ConfigError(f"{option.name} is {value}: it must be {span}")


@dataclass(frozen=True, kw_only=True)
class TrackLossOptions(StepOptions):
    """Of track loss.

    track_distance, track_growth: a part of an object is far when no pixel of it lies within `track_distance` diameters
    of where the object was of late, and `track_growth` more for each frame since it was last seen there.
    track_least: the least diameter that is reckoned with, as a share of the frame's short side, so that small objects
    are not lost when the camera shakes. track_window: an object was "of late" wherever it was within so many frames up
    to its last, so that a part behind something may come out again; and its size is the largest that it had in them.
    track_excess, track_apart: an object that has grown to more than `track_excess` times its size has something else
    with it when what is more came at once and looks otherwise, or has split off and moved by `track_apart` diameters
    against the rest.
    track_lost, track_confirm, track_confidence, track_area: an object that left is taken up again anywhere when it has
    been lost for `track_lost` frames and the same part of it was found on `track_confirm` frames in succession, with a
    mean probability of at least `track_confidence` and of at least `track_area` times its last area.
    """

    step = "camn.inference.track_loss:TrackLoss"
    switch = "track_loss"

    track_loss: bool = True  # remove what lies far from where an object was, splits off from it or spreads
    track_distance: float = within(1.0)  # how far a part may lie from where the object was, in object diameters
    track_growth: float = within(0.1)  # as much farther for each frame since the object was last seen, in diameters
    track_least: float = within(0.05)  # least diameter reckoned with, share of the frame's short side
    track_window: int = within(25, 1)  # frames up to the last seen whose masks count as where the object was
    track_excess: float = within(1.25, 1)  # an object that has grown by more than this has something else with it
    track_apart: float = within(0.2)  # how far a part moves against the object that is something else, in diameters
    track_lost: int = within(5)  # frames that an object must have been lost before it is taken up anywhere
    track_confirm: int = within(3, 1)  # frames in succession on which it must be found there
    track_confidence: float = within(0.7, most=1)  # least mean probability of what is taken up
    track_area: float = within(0.25)  # least area of what is taken up, share of the object's last area


@dataclass(frozen=True, kw_only=True)
class SmallObjectsOptions(StepOptions):
    """Of small objects.

    small_area: an object is small when it covers less than this share of the frame, and crops show it larger: by
    `small_gain` at least. small_context: side of the crop, in diameters; small_least: its least side, in pixels of
    the frame. small_work, small_work_most: side in pixels at which the network works on crops, at least and at
    most; between them as much as shows the object `small_enlarged` times as large as the whole frame does at work.
    small_most: the most objects on crops at a time, since each costs a run of the network; of those that become small
    together the smallest. small_steady: an object becomes small later when it was so on so many frames in succession.
    small_change: the crop keeps its side until the diameter has grown or shrunk by this factor; an object that crops
    no longer show larger, or whose area is over the bound by this factor, is small no longer. small_lost: the object
    is lost to the crop when less than this share of its last area is found there, or more than its last area by this
    share; what was found on the whole frame stands then, and the crop goes where that is.
    """

    step = "camn.inference.small_objects:SmallObjects"
    switch = "small_objects"

    small_objects: bool = True  # segment objects while they are small again, on enlarged crops of the frames
    small_area: float = within(0.01, most=1)  # an object that covers less than this share of the frame is small
    small_context: float = within(3.0, 1)  # side of the crop, in object diameters
    small_least: int = within(64, 8)  # least side of the crop, in pixels of the frame
    small_work: int = within(353, 33)  # least side at which the network works on crops, in pixels
    small_work_most: int = within(481, 33)  # most side at which it does so
    small_enlarged: float = within(1.5, 1)  # how much larger than at work on the whole frame crops should show objects
    small_gain: float = within(1.1, 1)  # least that they must show them larger, else the whole frame's answer is kept
    small_most: int = within(4, 1)  # objects on crops at a time; each costs a run of the network a frame
    small_steady: int = within(5, 1)  # frames in succession that an object must have been small to be so from then on
    small_change: float = within(1.5, 1)  # the crop keeps its side until the diameter has changed by this factor
    # what a crop finds does not count below this share of its last area, nor above its inverse
    small_lost: float = within(0.2, most=1)

    def __post_init__(self):
        super().__post_init__()
        if self.small_work > self.small_work_most:
            raise ConfigError(
                f"small_work is {self.small_work}: it must be at most small_work_most, which is {self.small_work_most}"
            )


@dataclass(frozen=True, kw_only=True)
class PostProcess(
    TrackLossOptions,
    SmallObjectsOptions,
):
    """All steps, in the order in which a frame passes them, by the options of each. All are on by default."""

    @classmethod
    def off(cls) -> PostProcess:
        """None of them: the networks' own answers."""
        return cls(track_loss=False, small_objects=False)

    @property
    def enabled(self) -> tuple[type[StepOptions], ...]:
        """The steps that are on, in their order."""
        kinds = (kind for kind in type(self).__mro__ if vars(kind).get("switch"))
        return tuple(kind for kind in kinds if getattr(self, kind.switch))
