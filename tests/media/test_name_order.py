"""The order of frames by their names, and what is said of it."""

import random

import pytest

from camn.media.name_order import frame_order, natural_key

RIGHT = {
    "seconds": "0.0 0.25 0.5 0.75 1.0 1.05",
    "evenly": "0.0 0.25 0.5 0.75 1.0",
    "some whole": "0 0.5 1 1.25 10",
    "behind a word": "t0.25 t0.5 t1 t1.05",
    "before a word": "frame_1.05s frame_1.5s frame_10.0s",
    "as Python prints small ones": "0.0 1e-05 2e-05 0.0001 0.00015 1.0",
    "before the start": "-1.0 -0.5 -0.25 0.0 0.25",
    "before the start, behind a word": "t-0.5 t-0.25 t0.0 t0.5",
    "whole ones before the start": "-10 -2 -1 0 1 10",
    "with a comma": "0,0 0,25 0,5",
    "of a clock": "1700000000.05 1700000000.123456 1700000000.2 1700000001.05",
    "of a camera and a number": " ".join(f"cam1.{n}" for n in range(1, 13)),
    "of dates": "2024-01-01_9-00-00 2024-01-01_10-00-00 2024-01-02_00-00-00",
    "of dotted dates": "2024.01.2 2024.01.15 2024.02.1",
    "with zeros and without": "1 2 003 10",
    "with gaps": "5 10 1000",
    "one kind after the other": "a1 a2 b3 b4",
}


@pytest.mark.parametrize("names", RIGHT.values(), ids=RIGHT)
def test_orders_that_are_certain(names):
    right = names.split()
    shuffled = random.Random(0).sample(right, len(right))
    key, doubt = frame_order(shuffled)
    assert sorted(shuffled, key=key) == right
    assert doubt == ""


@pytest.mark.parametrize(("names", "said"), [
    ("1.8 1.9 1.10 1.11", "numbers between their dots, 1.8 before 1.10"),
    ("1.0 1.4 1.8 1.12 1.16", "numbers between their dots, 1.4 before 1.12"),
    ("1.1 1.11 1.2", "decimal numbers, 1.11 before 1.2"),
    ("frame_1.25s frame_1.5s frame_10.0s", "decimal numbers, frame_1.25s before frame_1.5s"),
])  # fmt: skip
def test_orders_that_are_not_certain_are_told(names, said):
    shuffled = random.Random(0).sample(names.split(), len(names.split()))
    key, doubt = frame_order(shuffled)
    assert sorted(shuffled, key=key) == names.split()
    assert f"in the order of {'the' if 'dots' in said else 'their'} {said}" in doubt and "as many digits" in doubt


@pytest.mark.parametrize("names", ["left_1 left_2 right_1 right_2", "00000 00001 00000_mask 00001_mask"])
def test_two_videos_in_one_folder_are_told(names):
    _, doubt = frame_order(names.split())
    assert "two kinds that count alike" in doubt and "folder of its own" in doubt


def test_names_without_decimals_are_in_natural_order():
    names = [f"{word}{n}-{n % 7}" for word in ("a", "b ", "é") for n in (1, 20, 3)]
    key, _ = frame_order(names)
    assert key is natural_key
