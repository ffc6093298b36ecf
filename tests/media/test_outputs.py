"""Writing: whole or not at all, errors that name the place, and a thread that keeps order and hands errors on."""

import json
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from camn.errors import NoRoomError, OutputError
from camn.masks import PALETTE
from camn.media.outputs import MaskWriter, WriterThread, prepare_output, scratch, write_json


def test_prepare_makes_the_folder_and_leaves_it_empty(tmp_path):
    assert prepare_output(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []
    prepare_output(tmp_path / "a" / "b")


def test_what_is_made_aside_is_told_by_its_place(tmp_path):
    place = tmp_path / "movie.mp4"
    with pytest.raises(NoRoomError) as told, scratch(place) as folder:
        (folder / "movie.mp4").write_text("x")
        raise NoRoomError(f"{folder / 'movie.mp4'}: no room left")
    assert str(told.value) == f"{place}: no room left" and list(tmp_path.iterdir()) == []


def test_prepare_refuses_what_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"file.*choose another") as caught:
            prepare_output(path)
        assert str(path) in str(caught.value)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc, where not even root can write")
def test_prepare_refuses_a_folder_that_takes_no_files():
    with pytest.raises(OutputError, match="/proc/self"):
        prepare_output("/proc/self")


def test_json(tmp_path):
    content = {"model": "camn-mobile", "name": "Häschen", "times": [1, 2.5, None]}
    write_json(tmp_path / "run.json", content)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text) == content and "Häschen" in text
    with pytest.raises(TypeError):
        write_json(tmp_path / "run.json", {"model": object()})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == content
    with pytest.raises(OutputError, match="missing"):
        write_json(tmp_path / "missing" / "run.json", content)


def test_masks(tmp_path):
    ids = np.random.default_rng(0).integers(0, 255, (13, 21), dtype=np.uint8)
    writer = MaskWriter(tmp_path / "masks")
    paths = [writer.write(name, ids) for name in ("000000", "über 1", "a.b")]
    assert sorted(p.name for p in (tmp_path / "masks").iterdir()) == sorted(p.name for p in paths)
    assert [p.name for p in paths] == ["000000.png", "über 1.png", "a.b.png"]
    for path in paths:
        with Image.open(path) as image:
            assert image.mode == "P" and np.array_equal(np.asarray(image), ids)
            assert np.array_equal(np.asarray(image.convert("RGB")), PALETTE[ids])


def test_mask_folder_that_vanishes(tmp_path):
    writer = MaskWriter(tmp_path / "masks")
    (tmp_path / "masks").rmdir()
    with pytest.raises(OutputError, match="masks"):
        writer.write("000000", np.zeros((4, 4), np.uint8))


@given(st.lists(st.integers()), st.integers(1, 4))
def test_thread_runs_all_jobs_in_order(items, depth):
    done = []
    with WriterThread(depth) as thread:
        for item in items:
            thread.submit(done.append, item)
    assert done == items


def test_thread_hands_the_error_to_the_next_submit_and_drops_the_rest():
    done = []

    def fail():
        raise OutputError("disk full")

    thread = WriterThread(depth=8)
    thread.submit(done.append, 1)
    thread.submit(fail)
    with pytest.raises(OutputError, match="disk full"):
        while True:
            thread.submit(done.append, 2)
    thread.submit(done.append, 3)
    thread.close()
    thread.close()
    assert done == [1]
    with pytest.raises(ValueError, match="closed"):
        thread.submit(done.append, 4)


def test_thread_hands_the_last_error_to_close():
    with pytest.raises(OutputError, match="late"), WriterThread() as thread:
        thread.submit(lambda: (_ for _ in ()).throw(OutputError("late")))
    assert not [t for t in threading.enumerate() if t.name == "camn-writer"]


def test_thread_finishes_its_jobs_when_the_body_fails():
    done, gate = [], threading.Event()
    with pytest.raises(KeyError), WriterThread() as thread:
        thread.submit(gate.wait)
        thread.submit(done.append, 1)
        gate.set()
        raise KeyError("body")
    assert done == [1]


def test_thread_bounds_what_waits():
    gate, submitted = threading.Event(), []
    thread = WriterThread(depth=2)

    def produce():
        for number in range(10):
            thread.submit(gate.wait)
            submitted.append(number)

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join(timeout=0.3)
    assert len(submitted) <= 3  # two wait, one is being done
    gate.set()
    producer.join()
    thread.close()
    assert len(submitted) == 10
