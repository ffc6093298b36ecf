"""What masks are called, through the whole way: options, outputs, parts, commands."""

import json

import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.cli import main
from camn.cluster.folders import open_folder
from camn.cluster.plan import make_plan
from camn.cluster.tasks import VideoJob
from camn.errors import ConfigError, MaskError
from camn.masks import read_masks
from camn.masks.rle import encode_rle

SIZE, COUNT = (32, 48), 4
OPTIONS = api.SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager", overlay=False)


def binary(index: int) -> np.ndarray:
    shown = np.zeros(SIZE, bool)
    shown[6:20, 6 + 2 * index : 24 + 2 * index] = True
    return shown


@pytest.fixture
def video(tmp_path):
    """A file of four frames, which states how many there are."""
    frames = [Image.fromarray(np.where(binary(n), 220, 70).astype(np.uint8)) for n in range(COUNT)]
    api.write_movie("prores", _source(tmp_path, frames), lambda index: binary(index) * np.uint8(1), tmp_path / "v.mov")
    return tmp_path / "v.mov"


def _source(tmp_path, frames):
    (tmp_path / "frames").mkdir()
    for n, frame in enumerate(frames):
        frame.convert("RGB").save(tmp_path / "frames" / f"{n}.png")
    return api.open_source(tmp_path / "frames")


def masks(folder, pattern, numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.fromarray(binary(number).astype(np.uint8) * 255).save(folder / (pattern % number))
    return folder


def record(folder):
    return json.loads((folder / "run.json").read_bytes())


def test_masks_of_a_video(video, tmp_path):
    for pattern, numbers, first, said in (
        ("mask_%05d.png", [0, 2], None, [0, 2]),
        ("%06d.png", [1, 2, 3, 4], None, [0, 1, 2, 3]),
        ("%06d.png", [1, 3], None, [1, 3]),
        ("%06d.png", [1, 3], 1, [0, 2]),
    ):
        given = masks(tmp_path / f"{numbers}{first}", pattern, numbers)
        done = api.segment_video(video, given, tmp_path / "out", OPTIONS, first_frame=first)
        assert record(tmp_path / "out")["annotated_frames"] == said and done.ids == (1,)
        assert any("begin at frame 1" in note for note in done.notes) is (said[0] == 1)


def test_the_command_takes_the_first_frames_number(video, tmp_path, capsys):
    given = masks(tmp_path / "m", "frame_%d.png", [7, 8])
    arguments = ["segment", str(video), "--masks", str(given), "--out", str(tmp_path / "out"), "--short-side", "32"]
    assert main([*arguments, "--threads", "1", "--no-overlay", "--first-frame", "7"]) == 0
    assert record(tmp_path / "out")["annotated_frames"] == [0, 1]
    assert main([*arguments, "--first-frame", "70"]) == 2
    assert "bears the number 70" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="first_frame is -1"):
        api.SegmentOptions(first_frame=-1)
    with pytest.raises(MaskError, match="--first-frame"):
        api.segment_video(video, masks(tmp_path / "far", "%06d.png", [6]), tmp_path / "out", OPTIONS)


def test_names_of_categories_reach_the_outputs(video, tmp_path):
    images = [{"id": n + 1, "file_name": f"frame_{n:06d}.PNG"} for n in range(COUNT)]
    shown = [
        {"image_id": n + 1, "category_id": 4, "attributes": {"track_id": 0}, "segmentation": encode_rle(binary(n))}
        for n in (0, 2)
    ]
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps({"images": images, "annotations": shown, "categories": [{"id": 4, "name": "ball"}]}))
    api.segment_video(video, coco, tmp_path / "out", OPTIONS)
    written = json.loads((tmp_path / "out" / "segments.json").read_bytes())
    assert [item["name"] for item in written["categories"]] == ["ball"]
    assert record(tmp_path / "out")["annotated_frames"] == [0, 2]
    api.segment_video(video, coco, tmp_path / "out", OPTIONS, names={1: "mine"})
    written = json.loads((tmp_path / "out" / "segments.json").read_bytes())
    assert [item["name"] for item in written["categories"]] == ["mine"]
    bounds = [(0, 2), (2, None)]
    parts = [tmp_path / f"part{start}" for start, _ in bounds]
    for part, (start, stop) in zip(parts, bounds):
        api.segment_video(video, coco, part, api.part_options(OPTIONS), span=api.Span(start, stop))
    api.join_parts(video, parts, tmp_path / "joined", OPTIONS)
    written = json.loads((tmp_path / "joined" / "segments.json").read_bytes())
    assert [item["name"] for item in written["categories"]] == ["ball"]


def test_keyframes_bear_the_masks_numbers(video, tmp_path):
    given = masks(tmp_path / "m", "%06d.png", [1, 3])
    folder = open_folder(str(tmp_path / "out"))
    job = VideoJob("v", str(video), (str(given),), {"first_frame": 1}, (1, 3))
    assert [task.span for task in make_plan([job], folder, OPTIONS).tasks] == [(0, 2), (2, None), (0, None)]
    late = VideoJob("v", job.video, job.masks, {"first_frame": 2}, (1, 3))
    with pytest.raises(ConfigError, match="v: keyframe 1 lies before the first frame, 2"):
        make_plan([late], folder, OPTIONS)


def test_names_of_a_data_set_go_with_the_first_masks(tmp_path):
    for room, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        folder = tmp_path / room / "bear"
        folder.mkdir(parents=True)
        for n in range(2):
            Image.fromarray(binary(n).astype(np.uint8)).save(folder / f"{n:05d}.{suffix}")
    (tmp_path / "meta.json").write_text('{"videos": {"bear": {"objects": {"1": {"category": "polar bear"}}}}}')
    given = api.first_masks(tmp_path / "JPEGImages" / "bear", tmp_path / "Annotations" / "bear", tmp_path / "first")
    found = read_masks(given, ["00000", "00001"], SIZE)
    assert list(found.masks) == [0] and found.names == {1: "polar bear"}
