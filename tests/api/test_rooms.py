"""Rooms of the api have names of functions, too: the functions keep them, whatever is imported in whatever order."""

import sys

import pytest
from forking import forgetting, run

from camn import api

ORDERS = (
    "import camn.api; import {room}.{module}",
    "import {room}.{module}; import camn.api",
    "from {room} import {module}; import camn.api",
)
ROOMS = {"models": "load", "evaluate": "run", "benchmark": "run", "train": "run"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_room_does_not_hide_the_function_of_its_name(order):
    lines = [order.format(room=f"camn.api.{room}", module=module) for room, module in ROOMS.items()]
    lines += [f"assert camn.api.{room}.__name__ == {room!r} and callable(camn.api.{room})" for room in ROOMS]
    lines += ["from camn.api import *", *(f"assert {room} is camn.api.{room}" for room in ROOMS)]
    done = run([sys.executable, "-c", forgetting("camn") + "\n".join(lines)])
    assert done.returncode == 0, done.stderr


def test_all_names_are_there():
    assert all(getattr(api, name) is not None for name in api.__all__) and set(api.__all__) <= set(dir(api))
