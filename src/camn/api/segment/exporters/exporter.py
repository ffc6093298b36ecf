"""What an export says of itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from camn.api.segment.choice import is_id, is_whole
from camn.errors import ConfigError
from camn.files import replacing, writing

if TYPE_CHECKING:  # this is read for the commands' help, which must be instant
    import numpy as np

    from camn.inference import Result
    from camn.media.sound import Sound
    from camn.media.source import Frame

Needs = Literal["masks", "frames", "results"]
LEGEND = "objects.json"  # id, name and colour of each object, beside exports that lose them
BACKGROUND = "#00ff00"  # of cut-outs: a screen that editors take away


@dataclass(frozen=True)
class About:
    """What is known of a video before its first frame. size: (H, W). fps, tick, aspect, sound, from_start, notice: as
    for `camn.media.movie.Movie`. name: of the video, without its end. ids: of the objects that are shown. names,
    colours (RGB): of objects, by id, where something is said of them; `object_name` and `palette` know all. opacity: of
    objects over the picture, 0..1. background: of cut-outs, see `camn.media.background`. Raises ConfigError for values
    that cannot be."""

    size: tuple[int, int]
    fps: Fraction | int
    tick: Fraction | None = None
    name: str = "video"
    ids: tuple[int, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    opacity: float = 0.5
    aspect: Fraction = Fraction(1)
    sound: Sound | None = None
    from_start: bool = False
    background: str = BACKGROUND
    notice: Callable[[str], object] = lambda note: None

    def __post_init__(self):
        if wrong := [id for id in (*self.ids, *self.names, *self.colours) if not is_id(id)]:
            raise ConfigError(f"object {wrong[0]!r}: ids are whole numbers, 1..255")
        if wrong := [name for name in self.names.values() if not isinstance(name, str)]:
            raise ConfigError(f"{wrong[0]!r} is no name of an object: it must be text")
        if wrong := [one for one in self.colours.values() if not is_colour(one)]:
            raise ConfigError(f"{wrong[0]!r} is no colour of an object: give red, green and blue, each 0..255")
        if not 0 <= self.opacity <= 1:
            raise ConfigError(f"opacity is {self.opacity}: it must be between 0 and 1")
        if not self.fps > 0:
            raise ConfigError(f"fps is {self.fps}: it must be more than 0")
        if not isinstance(self.background, str):
            raise ConfigError(
                f"background is {self.background!r}: it must be text, a colour as #00ff00, blur or a path"
            )

    @property
    def played(self) -> dict[str, Any]:
        """Of a movie of all objects: how it is shown, and what is heard."""
        return {"aspect": self.aspect, "sound": self.sound, "from_start": self.from_start, "notice": self.notice}


def is_colour(said: Any) -> bool:
    """Whether it is (red, green, blue)."""
    return hasattr(said, "__len__") and len(said) == 3 and all(is_whole(part) and 0 <= part <= 255 for part in said)


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame and its masks. index, name: of the frame. ids: (H, W) uint8. frame: given to exports that need frames or
    results. result: what the network said, for exports that need results; None before the first object. objects: ids
    of those that are shown; None for all."""

    index: int
    name: str
    ids: np.ndarray
    frame: Frame | None = None
    result: Result | None = None
    objects: frozenset[int] | None = None
    asked: set[bool] = field(default_factory=set)  # True is in it once an export has asked for `probabilities`

    @property
    def seen(self) -> Frame:
        """The frame, for who needs it."""
        assert self.frame is not None
        return self.frame

    @cached_property
    def probabilities(self) -> dict[int, np.ndarray]:
        """(H, W) float32 in 0..1, in steps of 1/255, of each object that is known; made once for all exports. A run
        that is taken up again has them in these steps (`camn.api.segment.kept`)."""
        import numpy as np

        if self.result is None:
            return {}
        self.asked.add(True)
        known = (id for id in self.result.confidence if self.objects is None or id in self.objects)
        return {id: np.rint(self.result.probability(id) * 255) / np.float32(255) for id in known}


Write = Callable[[Shown], object]
Opener = Callable[[Path, About], AbstractContextManager[Write]]
Join = Callable[[Sequence[Path], Path], None]


@dataclass(frozen=True)
class Exporter:
    """One kind of output, written frame by frame.

    path: what it writes, a file or a folder, below the folder of a run. open: (path, about) -> a context with what
    takes each frame, in order. Leaving the context ends the output; after an error what was written stays, and is
    whole. needs: masks alone; the frames too; or the network's results. Without results an export can also be made of
    masks that are there already. files: patterns of the files in `path`, where that is a folder.

    join: makes one output of those of a video's parts, which are in order. Without it the output of a split video is
    made of the joined masks; one that needs results cannot be made then, and `instead` says what to do.

    named: whether its files say themselves what objects are called; beside others LEGEND is written. check: raises
    CamnError for what this export cannot be made of, before anything is written.

    title, form: what the page calls it, and its format; it is not offered there without a title. A folder is sent as a
    zip. wishes: fields of `About` that the page asks the user for; of exports without them they are refused.

    Which objects and which frames are shown was chosen before: `Shown` has these alone, and `About` speaks of them.
    """

    path: str
    open: Opener
    needs: Needs = "masks"
    files: tuple[str, ...] = ()
    join: Join | None = None
    instead: str = "leave it out"
    named: bool = False
    check: Callable[[About], object] = lambda about: None
    title: str = ""
    form: str = ""
    wishes: tuple[str, ...] = ()

    def __post_init__(self):
        if self.needs not in get_args(Needs):
            raise ConfigError(f"exporter of {self.path} needs {self.needs!r}: it must be one of {get_args(Needs)}")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Of all files that it writes, below the folder of a run."""
        return tuple(f"{self.path}/{pattern}" for pattern in self.files) or (self.path,)

    @property
    def of_masks(self) -> bool:
        """Whether it can be made of masks that are there already."""
        return self.needs != "results"

    @property
    def remade(self) -> bool:
        """Whether it is made of the joined masks, where a video was split."""
        return self.of_masks and self.join is None

    @property
    def file(self) -> str:
        """What a single file with all of it is called."""
        return f"{self.path}.zip" if self.files else self.path


def copying(pattern: str) -> Join:
    """Joins folders of files that fit each other as they are."""

    def join(parts: Sequence[Path], whole: Path) -> None:
        with writing(whole):
            for part in parts:
                for file in part.glob(pattern):
                    target = whole / file.relative_to(part)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with replacing(target) as half:
                        shutil.copyfile(file, half)

    return join
