"""The protocol of clicks, on answers that are known."""

import numpy as np
import pytest

from camn.evaluation.clicks import MOST, ClickScores, ObjectClicks, iou, jittered_box, measure_clicks


def square(low: int, high: int) -> np.ndarray:
    found = np.zeros((40, 50), bool)
    found[low:high, low:high] = True
    return found


def test_one_click_is_enough_for_who_knows_the_answer():
    truth = square(10, 30)
    asked = []

    def ask(x, y, positive):
        asked.append((x, y, positive))
        return truth

    assert measure_clicks(ask, truth, np.ones_like(truth)) == [1.0]
    assert len(asked) == 1 and truth[asked[0][1], asked[0][0]] and asked[0][2]


def test_who_never_learns_is_asked_to_the_end():
    truth = square(10, 30)
    assert measure_clicks(lambda x, y, positive: ~truth, truth, np.ones_like(truth)) == [0.0] * MOST


def test_clicks_go_on_until_the_last_level():
    truth, answers = square(10, 30), iter((square(10, 24), square(10, 29), square(10, 30)))
    found = measure_clicks(lambda x, y, positive: next(answers), truth, np.ones_like(truth))
    assert found == pytest.approx([(14 / 20) ** 2, (19 / 20) ** 2])
    one = ObjectClicks("a", 1, tuple(found), 0.5, (0.1, 0.3))
    assert one.needed(0.85) == 2 and one.needed(0.4) == 1 and one.needed(0.95) == MOST
    assert one.after(1) == pytest.approx(0.49) and one.after(5) == found[-1]
    scores = ClickScores((one, ObjectClicks("b", 1, (0.2,) * 20, 0.9, (0.2,))), 0.05).to_dict()
    assert scores["noc@85"] == 11 and scores["noc@90"] == 11 and scores["failed@85"] == 1
    assert scores["box"] == pytest.approx(0.7) and scores["seconds_per_click"] == pytest.approx(0.2)
    assert scores["iou@1"] == pytest.approx((0.49 + 0.2) / 2)


def test_what_is_not_counted_is_neither_right_nor_wrong():
    truth, counted = square(10, 30), ~square(10, 20)
    assert iou(truth & counted, truth, counted) == 1.0
    assert iou(square(0, 0), truth, np.zeros_like(truth)) == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_off_by_a_tenth_and_in_the_picture(seed):
    truth = square(0, 20) if seed % 2 else square(10, 30)
    x0, y0, x1, y1 = jittered_box(truth, np.random.default_rng(seed))
    low, high = (0, 20) if seed % 2 else (10, 30)
    assert all(max(0, low - 2) <= side <= low + 2 for side in (x0, y0))
    assert all(high - 2 <= side <= high + 2 for side in (x1, y1)) and x1 < 50 and y1 < 40
