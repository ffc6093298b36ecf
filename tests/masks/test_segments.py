"""`segments.json` as it is written: frame by frame, in little memory, whole whatever happens."""

import json
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from camn.masks import SegmentsWriter

MASKS = [np.random.default_rng(seed).integers(0, 4, (40, 60)).astype(np.uint8) * 60 for seed in range(3)]


def test_the_file_is_that_of_one_document(tmp_path):
    """Byte for byte what JSON of all entries at once would be."""
    with SegmentsWriter(tmp_path / "s.json", {60: 'a "b" ä'}) as writer:
        for index, mask in enumerate([MASKS[0], np.zeros_like(MASKS[0]), *MASKS[1:]]):
            writer.add(index, f"n{index}", mask)
        writer.close()  # and once more at the end of the block
    text = (tmp_path / "s.json").read_text()
    document = json.loads(text)
    assert text == json.dumps(document, separators=(",", ":"))
    assert list(document) == ["images", "annotations", "categories"]
    assert [image["file_name"] for image in document["images"]] == ["n0.png", "n1.png", "n2.png", "n3.png"]
    assert [one["id"] for one in document["annotations"]] == list(range(1, 10))
    assert [one["image_id"] for one in document["annotations"]] == [0, 0, 0, 2, 2, 2, 3, 3, 3]
    assert document["categories"][0] == {"id": 60, "name": 'a "b" ä'}
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_no_frame_at_all(tmp_path):
    with SegmentsWriter(tmp_path / "s.json"):
        pass
    assert json.loads((tmp_path / "s.json").read_text()) == {"images": [], "annotations": [], "categories": []}


def test_memory_stays_flat(tmp_path):
    with SegmentsWriter(tmp_path / "s.json") as writer:
        for index in range(150):
            if index == 5:
                tracemalloc.start()
            writer.add(index, f"{index:06d}", MASKS[index % 3])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "s.json").stat().st_size > 450_000 and most < 200_000


def test_a_frame_that_is_stopped_in_the_middle_is_none(tmp_path):
    class Broken(str):
        def __format__(self, form):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), SegmentsWriter(tmp_path / "s.json") as writer:
        writer.add(0, "a", MASKS[0])
        writer.add(1, Broken("b"), MASKS[1])
    assert len(json.loads((tmp_path / "s.json").read_text())["images"]) == 1


STOPPED = """
import signal, sys, numpy as np
from camn.masks import SegmentsWriter
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without
mask = np.random.default_rng(0).integers(0, 6, (200, 300)).astype(np.uint8)
with SegmentsWriter(sys.argv[1]) as writer:
    for index in range(100_000):
        writer.add(index, str(index), mask)
        if index == 4:
            print("begun", flush=True)
"""


def test_ctrl_c(tmp_path):
    path = tmp_path / "s.json"
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout and process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    finally:
        process.kill()
    document = json.loads(path.read_text())
    count = len(document["images"])
    assert count >= 5 and len(document["annotations"]) == 5 * count


def test_a_full_disk(tmp_path):
    """Simulated by a bound on the size of files, in a process of its own."""
    code = STOPPED.replace(
        "with Segm",
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\nwith Segm",
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "s.json")], capture_output=True, text=True)
    assert "camn.errors.NoRoomError" in done.stderr and "s.json: no room left" in done.stderr
    assert not list(tmp_path.glob("*.part*"))
