"""Names of files as disks have them: no UTF-8, quotes, ends of lines; a terminal that shows ASCII alone."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.cli import main
from camn.files import encoded
from camn.masks import write_palette_png

SIZE = (48, 64)
QUICK = ("--short-side", "32", "--threads", "1", "--backend", "eager", "--device", "cpu", "--no-overlay")
NAMES = [
    b"caf\xe9",
    b"\x83\x52\x83\x89",
    b'"a", b;c',
    b"two\nlines",
    b"-x",
    b"end ",
    "cafe\u0301".encode(),
    b"100%[1]*",
    b"l" * 230,
]


def mask() -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[6:26, 10:40] = 7
    return ids


def place(folder: Path, name: bytes) -> tuple[Path, Path]:
    """Frames and a mask, all under such names."""
    odd = os.fsdecode(name)
    frames, masks = folder / odd / "frames", folder / odd / f"{odd} mask.png"
    frames.mkdir(parents=True)
    for index in range(2):
        image = np.full((*SIZE, 3), 60, np.uint8)
        image[6:26, 10 + index : 40 + index] = 220
        Image.fromarray(image).save(frames / f"{odd}{index}.png")
    write_palette_png(masks, mask())
    return frames, masks


@pytest.mark.parametrize("name", NAMES)
def test_frames_masks_and_outputs(tmp_path, capsys, name):
    frames, masks = place(tmp_path, name)
    out = tmp_path / os.fsdecode(name) / "out"
    assert main(["segment", str(frames), "--masks", str(masks), "--out", str(out), "--alpha", "png", *QUICK]) == 0
    stems = [f"{os.fsdecode(name)}{index}" for index in range(2)]
    assert sorted(path.stem for path in (out / "masks").iterdir()) == stems
    with (out / "objects.csv").open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [encoded(stem).decode() for stem in stems]
    assert json.loads((out / "run.json").read_bytes())["video"] == str(frames.resolve())
    images = json.loads((out / "segments.json").read_bytes())["images"]
    assert [image["file_name"] for image in images] == [f"{stem}.png" for stem in stems]
    again = api.segment_video(frames, out / "segments.json", tmp_path / "again", short_side=32, backend="eager")
    assert again.ids == (7,)  # found by the frames' names
    assert encoded(str(out)).decode() in capsys.readouterr().out


def test_a_terminal_that_shows_ascii_alone(tmp_path):
    ascii = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    frames, masks = place(tmp_path, "é".encode() + b"\xe9")
    command = [sys.executable, "-m", "camn", "segment", frames, "--masks", masks, "--out", tmp_path / "é", *QUICK]
    done = subprocess.run(command, env=os.environ | ascii, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "é" / "masks" / os.fsdecode("é0".encode()[:-1] + b"\xe90.png")).exists()
    wrong = [*command, "--no-such-option"]
    done = subprocess.run(wrong, env=os.environ | ascii, capture_output=True)
    assert done.returncode == 2 and b"Traceback" not in done.stderr + done.stdout


def test_a_video_and_a_model_that_are_not_there(tmp_path, capsys):
    frames, masks = place(tmp_path, b"caf\xe9")
    out = str(tmp_path / "out")
    assert main(["segment", f"{frames}x", "--masks", str(masks), "--out", out, *QUICK]) == 2
    model = tmp_path / os.fsdecode(b"net\xe9.safetensors")
    model.write_bytes(b"x")
    assert main(["segment", str(frames), "--masks", str(masks), "--out", out, *QUICK, "--model", str(model)]) == 2
    said = capsys.readouterr().err
    assert r"caf\udce9/framesx: no such file" in said
    assert r"net\udce9.safetensors: its name is no UTF-8" in said and "rename it" in said


def test_masks_by_decimal_names_and_frames_in_that_order(tmp_path):
    frames, masks = tmp_path / "frames", tmp_path / "masks"
    frames.mkdir()
    masks.mkdir()
    names = ["0.0", "0.25", "0.5", "0.75", "1.0", "1.05"]
    for index, name in enumerate(names):
        Image.fromarray(np.full((*SIZE, 3), 40 * index, np.uint8)).save(frames / f"{name}.png")
    write_palette_png(masks / "0.25.png", mask())
    done = api.segment_video(frames, masks, tmp_path / "out", short_side=32, backend="eager", overlay=False)
    rows = (tmp_path / "out" / "objects.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == names[1:] and done.warnings == ()
