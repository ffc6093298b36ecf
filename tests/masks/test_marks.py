"""What users write of clicks and boxes, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.errors import MaskError
from camn.masks import Marks
from camn.masks.marks import checked

WORDS = {
    "several objects": (
        {"click": ["420,260", "2:100,80", " 1:5.5, 7 "], "negative": ["2:90,120"], "box": ["3:60,40,10,10"], "at": 40},
        Marks(
            {1: [(420, 260), (5.5, 7)], 2: [(100, 80), (90, 120, False)]}, {3: (60, 40, 10, 10)}, at=40
        ),
    ),
    "a box alone": ({"box": ["1,2,30,40"]}, Marks(boxes={1: (1, 2, 30, 40)})),
    "a negative click in a box": (
        {"box": ["255:1,2,30,40"], "negative": ["255:5,5"]}, Marks({255: [(5, 5, False)]}, {255: (1, 2, 30, 40)}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_words_and_numbers_say_the_same(name):
    words, marks = WORDS[name]
    assert Marks.read(**words) == marks == Marks.read(**json.loads(json.dumps(marks.words())))
    assert marks.ids == tuple(sorted({*marks.clicks, *marks.boxes}))


@given(
    clicks=st.dictionaries(
        st.integers(1, 255),
        st.lists(st.tuples(st.integers(0, 99), st.decimals(0, 99, places=9).map(float)), min_size=1, max_size=5),
        min_size=1,
    )
)
def test_what_is_said_can_be_read_again(clicks):
    marks = Marks(clicks)
    assert Marks.read(**marks.words()) == marks


WRONG = {
    "nothing": ({}, "nothing is marked"),
    "no comma": ({"click": ["420"]}, "click '420': write X,Y, or ID:X,Y"),
    "words": ({"click": ["here"]}, "click 'here': write X,Y"),
    "three numbers": ({"click": ["1,2,3"]}, "click '1,2,3': write"),
    "no text": ({"click": [420]}, "click 420: write"),
    "not a number": ({"click": ["nan,3"]}, "click 'nan,3': write"),
    "infinite": ({"negative": ["3,inf"]}, "negative '3,inf': write"),
    "endless": ({"click": ["9" * 5000 + ",3"]}, "write X,Y"),
    "id 0": ({"click": ["0:3,3"]}, "click '0:3,3': object 0: ids are 1..255"),
    "id 256": ({"box": ["256:3,3,9,9"]}, "box '256:3,3,9,9': object 256: ids are 1..255"),
    "id -1": ({"click": ["-1:400,300"]}, "click '-1:400,300': where an object is not is written --negative 1:400,300"),
    "box of two": ({"box": ["1:3,3"]}, "box '1:3,3': write ID:X0,Y0,X1,Y1"),
    "two boxes": ({"box": ["1:3,3,9,9", "5,5,20,20"]}, "object 1 has another box already"),
    "box of no area": ({"box": ["2:3,3,3,9"]}, "object 2: box 3,3,3,9 has no area"),
    "only negative": ({"click": ["5,5"], "negative": ["2:3,3"]}, "object 2: click 3,3 says only where the obj"),
    "on and off": ({"click": ["2:3,3"], "negative": ["2:3.2,3"]}, "object 2: click 3.2,3: the same pixel .* opposite"),
    "on and off, by a fraction": (
        {"click": ["2:3.4,3"], "negative": ["2:3.6,3"]}, "object 2: click 3.6,3: the same pixel .* opposite",
    ),
    "too many": ({"click": [f"{x},3" for x in range(101)]}, "object 1: more than 100 clicks"),
    "no frame": ({"click": ["3,3"], "at": -1}, "at is -1: it must be the number of a frame, 0 is the first"),
    "half a frame": ({"click": ["3,3"], "at": 0.5}, "at is 0.5"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_meant(name):
    words, said = WRONG[name]
    with pytest.raises(MaskError, match=said):
        Marks.read(**words)


@pytest.mark.parametrize(
    "clicks, boxes, said",
    [
        ({1: [(3,)]}, {}, "click .3,.: give x, y"),
        ({1: [(3, 4, "no")]}, {}, "give x, y, and False"),
        ({1: [3]}, {}, "click 3: give x, y"),
        ({1: 3}, {}, "clicks 3: give a list"),
        ({1: [(float("nan"), 4)]}, {}, "object 1: nan,4 is no pixel"),
        ({1: [(3, float("inf"))]}, {}, "object 1: 3,inf is no pixel"),
        ({"a": [(3, 4)]}, {}, "object 'a': ids are 1..255"),
        ({1: [(3, 4)]}, {1: (3, 4, 5)}, "box .3, 4, 5.: give x0, y0, x1, y1"),
        ({1: []}, {}, "nothing is marked"),
        ([(3, 4)], {}, "by the objects' ids, such as {1: .* this is a list"),
        ({}, (1, 2, 3, 4), "by the objects' ids, such as {1: .* this is a tuple"),
    ],
)
def test_numbers_that_cannot_be_meant(clicks, boxes, said):
    with pytest.raises(MaskError, match=said):
        Marks(clicks, boxes)


@pytest.mark.parametrize("marks", [Marks({2: [(96, 5)]}), Marks({2: [(5, -1)]}), Marks(boxes={2: (5, 5, 20, 65)})])
def test_outside_of_the_frame(marks):
    with pytest.raises(MaskError, match=r"object 2: .* outside the frame, which is 96x64: x is 0\.\.95, y 0\.\.63"):
        marks.check((64, 96))


def test_of_neighbours_one_is_on_the_object_and_one_is_not():
    assert Marks.read(["3.6,3"], ["4.4,3"]).ids == (1,)


def test_corners_in_any_order_and_a_mask_to_begin_from():
    assert checked((), (30, 2, 1, 40), (64, 96)) == (1, 2, 30, 40)
    assert checked([(5, 5, False)], None, (64, 96), begun=True) is None


def test_a_box_up_to_the_edge_may_end_at_the_frames_width_and_height():
    assert checked((), (96, 64, 0, 0), (64, 96)) == checked((), (0, 0, 95, 63), (64, 96)) == (0, 0, 95, 63)
    with pytest.raises(MaskError, match="96.5,63 is outside"):
        checked((), (0, 0, 96.5, 64), (64, 96))
