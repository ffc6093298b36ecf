"""The networks answer as they did when tests/goldens was made (scripts/make_goldens.py)."""

import make_goldens
import numpy as np
import pytest


@pytest.mark.parametrize("name", make_goldens.configs())
def test_answers_are_those_of_before(name):
    golden = np.load(make_goldens.FOLDER / f"{name}.npz")
    made = make_goldens.answer(make_goldens.configs()[name])
    assert made.keys() == set(golden)
    for key, value in made.items():
        np.testing.assert_allclose(value, golden[key], rtol=0, atol=1e-4, err_msg=f"{name}: {key}")


def test_no_golden_is_left_over():
    assert {p.stem for p in make_goldens.FOLDER.glob("*.npz")} == set(make_goldens.configs())
