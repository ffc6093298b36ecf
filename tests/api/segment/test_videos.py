"""Runs on videos that are not as simple as most: damage, sound, pixels that are not square."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from videos import COUNT, SIZE, hurt, noisy_video, wide_video_with_sound

from camn import api

OPTIONS = api.SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager")


@pytest.fixture
def mask(tmp_path):
    ids = np.zeros(SIZE, np.uint8)
    ids[10:30, 10:40] = 1
    Image.fromarray(ids).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def test_a_damaged_video_has_all_its_masks_and_one_warning(tmp_path, mask):
    path = hurt(noisy_video(tmp_path / "a.avi", "mjpeg", "yuvj420p"), [4, 9, 10])
    summary = api.segment_video(path, mask, tmp_path / "out", OPTIONS)
    assert summary.frames == COUNT == len(list((tmp_path / "out" / "masks").iterdir()))
    (warning,) = summary.warnings
    assert f"{path}: frames 4, 9-10 cannot be decoded" in warning
    assert api.open_source(tmp_path / "out" / "overlay.mp4").count == COUNT
    assert json.loads((tmp_path / "out" / "run.json").read_text())["warnings"] == [warning]


def test_aspect_and_sound_go_into_a_runs_movies(tmp_path, mask):
    path = wide_video_with_sound(tmp_path / "a.mkv", SIZE)
    told = []
    options = {"alpha": ("prores",), "export": ("vp9",)}
    summary = api.segment_video(path, mask, tmp_path / "out", OPTIONS, notice=told.append, **options)
    note = "cutout.webm: without the video's sound (pcm_s16le cannot be copied into webm)"
    assert note in summary.notes and note in told and summary.warnings == ()
    assert note in json.loads((tmp_path / "out" / "run.json").read_text())["notes"]
    for name in ("overlay.mp4", "alpha/1.mov"):
        assert api.open_source(tmp_path / "out" / name).aspect == Fraction(64, 45)
    with av.open(str(tmp_path / "out" / "overlay.mp4")) as container:
        assert sum(packet.size for packet in container.demux(audio=0)) == 6 * 320 * 2
