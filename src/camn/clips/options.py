"""What training clips look like: the options of `[clips]` in a recipe."""

from __future__ import annotations

from dataclasses import dataclass

from camn.clips.appearance import Appearance
from camn.clips.motion import Motion, Size
from camn.errors import ConfigError

# kinds whose pictures are much alike are drawn less often; any other kind has weight 1 for each of its pictures
ALIKE = (("people-parts", 0.4), ("horses", 0.5))
CHANCES = ("track", "behind", "fit", "alike", "part", "bars", "smear", "zoom")
SHARES = ("video_share", "reverse", "flip", "layered", "paste", "twin", "merge", "min_area", *CHANCES)


@dataclass(frozen=True)
class ClipOptions:
    """What clips look like. Chances are 0..1. Scales are zooms of a picture as though its short side were 360."""

    size: Size = (225, 225)
    frames: int = 3
    max_objects: int = 3
    min_area: float = 0.005  # of the crop, on frame 0; an object below it is background
    video_share: float = 0.45
    gap: tuple[int, int] = (1, 4)
    reverse: float = 0.5
    flip: float = 0.5
    video_scale: tuple[float, float] = (0.9, 1.7)
    still_scale: tuple[float, float] = (0.6, 1.2)
    motion: Motion = Motion()
    video_motion: float = 0.25  # of `motion`, added to a video's own
    zoom: float = 0.0  # clips whose camera zooms in or out from the first frame to the last
    smear: float = 0.0  # clips smeared along the motion: that of the camera over stills, that of each object
    ripple: float = 0.015  # reach of the non-rigid part, of the crop's side
    perspective: float = 0.0  # reach of a perspective warp's corners, of the crop's side; 0 draws none
    layered: float = 0.3  # stills whose objects move over a background of their own
    paste: float = 0.5
    twin: float = 0.1
    track: float = 0.0  # clips with objects of other videos pasted in, frame by frame
    tracks: int = 2  # the most of these in one clip
    behind: float = 0.4  # of them, those behind the clip's objects
    fit: float = 0.5  # the most by which their colours are moved towards those around, 1 all the way
    alike: float = 0.0  # clips in which a moving copy of an object comes out from behind it, crosses or leaves it
    part: float = 0.0  # clips of a part of an object, whose whole is background
    bars: float = 0.0  # clips seen past poles, trunks or a fence
    merge: float = 0.5  # stills of `merged` whose objects are taken as one
    merged: tuple[str, ...] = ("people-parts",)
    weights: tuple[tuple[str, float], ...] = ALIKE
    appearance: Appearance = Appearance()

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in SHARES}
        problems = [f"{name} {value} must be in 0..1" for name, value in given.items() if not 0 <= value <= 1]
        if min(self.size) < 32:
            problems.append(f"size {self.size} must be at least 32 pixels each way")
        if self.frames < 1 or not 1 <= self.max_objects <= 20:
            problems.append(f"frames {self.frames} must be at least 1 and max_objects {self.max_objects} in 1..20")
        if not 1 <= self.tracks <= 5:
            problems.append(f"tracks {self.tracks} must be in 1..5; for none set track = 0")
        for name in ("gap", "video_scale", "still_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                problems.append(f"{name} {(low, high)} must be positive, the lower bound first")
        if not 0 <= self.perspective <= 0.2:
            problems.append(f"perspective {self.perspective} must be in 0..0.2: beyond it a view folds over")
        if any(weight < 0 for _, weight in self.weights):
            problems.append(f"weights {self.weights} must not be negative")
        if problems:
            raise ConfigError("clip options: " + "; ".join(problems))
