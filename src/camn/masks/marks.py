"""Clicks and boxes on one frame of a video, by which objects are marked: as users write them, and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from camn.errors import MaskError
from camn.masks.ids import MAX_ID

Click = tuple[float, float, bool]  # x, y in pixels of the frame; whether the object is there
Box = tuple[float, float, float, float]  # x0, y0, x1, y1

MOST_CLICKS = 100  # of one object
_ID = r"(?:(-?\d{1,9}):)?"
_NUMBER = r"\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*"
_CLICK = re.compile(_ID + ",".join([_NUMBER] * 2))
_BOX = re.compile(_ID + ",".join([_NUMBER] * 4))


@dataclass(frozen=True)
class Marks:
    """What is said of objects on the frame `at` of a video, 0 being the first, by their ids.

        Marks({1: [(420, 260)], 2: [(100, 80), (90, 120, False)]}, boxes={3: (10, 10, 60, 40)}, at=40)

    clicks: x, y each, in pixels of the frame as it is shown, x to the right and y down from 0; False behind them says
    that the object is not there. boxes: x0, y0, x1, y1, corners in any order, one an object. Raises MaskError for what
    cannot be meant: ids that are none, no number, a box of no area, a pixel said to be on and off the object, an object
    of which is said only where it is not, more than `MOST_CLICKS` of one.
    """

    clicks: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    boxes: Mapping[int, Sequence[float]] = field(default_factory=dict)
    at: int = 0

    def __post_init__(self):
        if type(self.at) is not int or self.at < 0:
            raise MaskError(f"at is {self.at!r}: it must be the number of a frame, 0 is the first")
        for given, form in ((self.clicks, "{1: [(420, 260)]}"), (self.boxes, "{1: (100, 80, 420, 260)}")):
            if not isinstance(given, Mapping):
                raise MaskError(f"give marks by the objects' ids, such as {form}; this is a {type(given).__name__}")
        clicks = {id: found for id, given in self.clicks.items() if (found := _clicks(given))}
        boxes = {id: _four(box) for id, box in self.boxes.items()}
        if not clicks and not boxes:
            raise MaskError("nothing is marked: give a click on an object, or a box around it")
        for id in (*clicks, *boxes):
            check_id(id)
        object.__setattr__(self, "clicks", clicks)
        object.__setattr__(self, "boxes", boxes)
        self.check()

    @classmethod
    def read(
        cls, click: Iterable[str] = (), negative: Iterable[str] = (), box: Iterable[str] = (), at: int = 0
    ) -> Marks:
        """As the command line and manifests have them. click, negative: `X,Y`, or `ID:X,Y` for another object than 1;
        negative: where it is not. box: `X0,Y0,X1,Y1`, or with an id. Raises MaskError."""
        clicks: dict[int, list[Click]] = {}
        boxes: dict[int, Box] = {}
        for name, words, positive in (("click", click, True), ("negative", negative, False)):
            for word in words:
                id, (x, y) = _read(name, word, _CLICK, "X,Y, or ID:X,Y for another object than 1: 420,260 or 2:100,80")
                clicks.setdefault(id, []).append((x, y, positive))
        for word in box:
            id, (x0, y0, x1, y1) = _read("box", word, _BOX, "ID:X0,Y0,X1,Y1, two opposite corners: 1:100,80,420,260")
            if id in boxes:
                raise MaskError(f"box {word!r}: object {id} has another box already; give one for each object")
            boxes[id] = x0, y0, x1, y1
        return cls(clicks, boxes, at)

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(sorted({*self.clicks, *self.boxes}))

    def words(self) -> dict[str, Any]:
        """What `read` takes; JSON can hold it."""
        said = [(id, click) for id in self.clicks for click in self.clicks[id]]
        return {
            "click": [_word(id, (x, y)) for id, (x, y, positive) in said if positive],
            "negative": [_word(id, (x, y)) for id, (x, y, positive) in said if not positive],
            "box": [_word(id, box) for id, box in self.boxes.items()],
            "at": self.at,
        }

    def check(self, size: Sequence[int] | None = None) -> None:
        """size: of the frame, (H, W). Raises MaskError for what lies outside of it, and for all that can be told
        without it."""
        for id in self.ids:
            try:
                checked(self.clicks.get(id, ()), self.boxes.get(id), size)
            except MaskError as error:
                raise MaskError(f"object {id}: {error}") from None


def check_id(object: Any) -> None:
    """Raises MaskError."""
    if type(object) is not int or not 1 <= object <= MAX_ID:
        raise MaskError(f"object {object!r}: ids are 1..{MAX_ID}")


def pixel(x: float, y: float) -> tuple[int, int]:
    """That in which a click lies: all clicks on a pixel mean the same."""
    return int(x), int(y)


def checked(
    clicks: Sequence[Click], box: Sequence[float] | None, size: Sequence[int] | None, begun: bool = False
) -> Box | None:
    """What is asked of one object -> its box with the corners in order. size: of the frame, (H, W), if it is known.
    begun: there is a mask to begin from, so that clicks may all be negative. Raises MaskError for what cannot be."""
    if len(clicks) > MOST_CLICKS:
        raise MaskError(f"more than {MOST_CLICKS} clicks on one object; paint what is left, or begin anew")
    signs: dict[tuple[int, int], bool] = {}
    for x, y, positive in clicks:
        _check_inside(x, y, size)
        if signs.setdefault(pixel(x, y), positive) != positive:
            raise MaskError(f"click {x:g},{y:g}: the same pixel is clicked for the opposite; take one of them back")
    if box is not None:
        return _ordered(*box, size=size)
    if not begun and not any(positive for *_, positive in clicks):
        if not clicks:
            raise MaskError("nothing is asked: give a click on the object, or a box around it")
        x, y, _ = clicks[-1]
        raise MaskError(f"click {x:g},{y:g} says only where the object is not; click on it first, or draw a box")
    return None


def _ordered(x0: float, y0: float, x1: float, y1: float, size: Sequence[int] | None) -> Box:
    (left, right), (top, bottom) = sorted((x0, x1)), sorted((y0, y1))
    if size is not None:  # editors say of a box up to the frame's edge that it ends at its width or height
        right, bottom = (most - 1 if edge == most else edge for edge, most in ((right, size[1]), (bottom, size[0])))
    for x, y in ((left, top), (right, bottom)):
        _check_inside(x, y, size)
    if right - left < 1 or bottom - top < 1:
        raise MaskError(f"box {x0:g},{y0:g},{x1:g},{y1:g} has no area; give two opposite corners")
    return left, top, right, bottom


def _check_inside(x: float, y: float, size: Sequence[int] | None) -> None:
    if size is None:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise MaskError(f"{x:g},{y:g} is no pixel: x and y are numbers, from 0 on")
        return
    height, width = size[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise MaskError(
            f"{x:g},{y:g} is outside the frame, which is {width}x{height}: x is 0..{width - 1}, y 0..{height - 1}"
        )


def _clicks(given: Any) -> tuple[Click, ...]:
    if not isinstance(given, Iterable):
        raise MaskError(f"clicks {given!r}: give a list of them, such as [(420, 260)]")
    return tuple(_click(one) for one in given)


def _click(given: Any) -> Click:
    """(x, y) or (x, y, positive)."""
    try:
        x, y, *rest = given
        positive = rest[0] if rest else True
        if len(rest) < 2 and isinstance(positive, bool):
            return float(x), float(y), positive
    except (TypeError, ValueError):
        pass
    raise MaskError(f"click {given!r}: give x, y, and False behind them where the object is not")


def _four(given: Any) -> Box:
    try:
        x0, y0, x1, y1 = map(float, given)
    except (TypeError, ValueError):
        raise MaskError(f"box {given!r}: give x0, y0, x1, y1, two opposite corners") from None
    return x0, y0, x1, y1


def _read(name: str, word: Any, form: re.Pattern[str], wanted: str) -> tuple[int, list[float]]:
    found = form.fullmatch(word.strip()) if isinstance(word, str) else None
    if found is None:
        raise MaskError(f"{name} {word!r}: write {wanted}")
    id, *numbers = found.groups(default="1")
    if id.startswith("-") and name == "click":  # a negative click is easily written as a negative id
        raise MaskError(f"click {word!r}: where an object is not is written --negative {word.strip()[1:]}")
    try:
        check_id(int(id))
    except MaskError as error:
        raise MaskError(f"{name} {word!r}: {error}") from None
    return int(id), [float(number) for number in numbers]


def _word(id: int, numbers: Iterable[float]) -> str:
    return f"{id}:{','.join(f'{n:.9f}'.rstrip('0').rstrip('.') for n in numbers)}"
