"""Which objects are followed on crops, by their size and the frame's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camn.config import PostProcess
from camn.errors import ConfigError
from camn.inference.crops import Place, work_on


@pytest.mark.parametrize("height", [240, 480, 720, 1080, 2160])
@pytest.mark.parametrize(
    "diameter, area, side",  # at work size 481 the crop is 3 * 481 * diameter pixels wide at work
    [
        (0.04, 0.001, 353),
        (0.15, 0.0099, 353),
        (0.2, 0.005, 434),
        (0.25, 0.0099, 481),
        (0.31, 0.0099, None),  # of a long object crops would show 481 pixels for 447
        (0.15, 0.0101, None),
        (0.05, 0.0101, None),
    ],
)
def test_objects_are_small_by_their_share_of_the_frame_and_where_crops_enlarge_them(height, diameter, area, side):
    assert work_on(Place((0.5, 0.5), diameter, area), PostProcess(), height, (481, 849)) == side


def test_what_is_worked_on_finely_already_needs_no_crops():
    place, config = Place((0.5, 0.5), 0.25, 0.005), PostProcess()
    assert [work_on(place, config, 1080, (side, side * 16 // 9)) for side in (241, 481, 721)] == [353, 481, None]
    tiny = Place((0.5, 0.5), 0.02, 0.0002)  # but the crop has 64 pixels of the frame
    assert [work_on(tiny, config, height, (481, 849)) for height in (1080, 144, 64)] == [353, 353, None]


@given(st.floats(0.002, 0.5), st.floats(1e-4, 0.02), st.integers(64, 2160), st.integers(65, 1040))
def test_crops_are_never_smaller_than_asked_and_always_show_more(diameter, area, height, work):
    config, size = PostProcess(), (work, work * 16 // 9)
    side = work_on(Place((0.5, 0.5), diameter, area), config, height, size)
    shown = Place((0.5, 0.5), diameter, area).around(config, height, size).side
    if side is None:
        assert area >= config.small_area or config.small_work_most < config.small_gain * shown
    else:
        assert config.small_work <= side <= config.small_work_most and side >= config.small_gain * shown
        assert work_on(Place((0.5, 0.5), diameter / 2, area / 2), config, height, size) is not None


def test_sizes_of_crops_that_contradict_each_other():
    with pytest.raises(ConfigError, match="small_work is 500: it must be at most small_work_most, which is 481"):
        PostProcess(small_work=500)
