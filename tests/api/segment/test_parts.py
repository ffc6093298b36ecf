"""Parts of a video segmented apart and joined; a model in memory that serves several videos."""

import csv
import dataclasses
import json
import shutil

import av
import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.errors import ConfigError, DataError, MaskError
from camn.masks import write_palette_png

SIZE = (48, 64)
OPTIONS = api.SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager")


def mask(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[6 + index : 26 + index, 10:40] = 7
    return ids


def write_video(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "bgr0"
        for index in range(frames):
            image = np.where(mask(index)[..., None] > 0, (220, 40, 40), (90, 90, 90)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))


@pytest.fixture
def video(tmp_path):
    """A file of nine frames, with masks of frames 0, 3 and 6 in a folder."""
    write_video(tmp_path / "clip.mkv", 9)
    (tmp_path / "masks").mkdir()
    for index in (0, 3, 6):
        write_palette_png(tmp_path / "masks" / f"{index:06d}.png", mask(index))
    return tmp_path / "clip.mkv"


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "masks").iterdir())}


def parts(video, tmp_path, bounds, options=OPTIONS):
    folders = []
    for start, stop in bounds:
        folders.append(tmp_path / "parts" / str(start))
        span = api.Span(start, stop)
        api.segment_video(video, tmp_path / "masks", folders[-1], api.part_options(options), span=span)
    return folders


def test_parts_of_a_video_file_are_joined(tmp_path, video):
    bounds = [(0, 3), (3, 6), (6, None)]
    done = api.join_parts(video, parts(video, tmp_path, bounds), tmp_path / "joined", OPTIONS)
    assert (done.frames, done.ids) == (9, (7,)) and all(path.exists() for path in done.outputs)
    frames = [np.asarray(frame.to_ndarray(format="rgb24")) for frame in av.open(str(video)).decode(video=0)]
    for start, stop in bounds:  # each by hand: a segmenter that starts from the part's own mask
        segmenter = api.load(device="cpu", short_side=32, backend="eager")
        for index in range(start, stop or 9):
            result = segmenter.step(frames[index]) if index > start else segmenter.start(frames[index], mask(start))
            written = np.array(Image.open(tmp_path / "joined" / "masks" / f"{index:06d}.png"))
            assert np.array_equal(written, result.ids)
    with (tmp_path / "joined" / "objects.csv").open() as file:
        assert [(int(row["frame"]), int(row["id"])) for row in csv.DictReader(file)] == [(k, 7) for k in range(9)]
    with av.open(str(tmp_path / "joined" / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 9
    segments = json.loads((tmp_path / "joined" / "segments.json").read_text())
    assert [image["id"] for image in segments["images"]] == list(range(9))


def test_parts_are_not_asked_for_what_is_made_of_all_together():
    whole = dataclasses.replace(OPTIONS, export=("over-h264",), export_background="blur", export_objects=(7,))
    part = api.part_options(whole)
    part.check_chosen()
    assert (part.export, part.export_background, part.export_objects) == ((), api.BACKGROUND, None)


@pytest.mark.parametrize("frames", [7, 11])
def test_a_video_that_has_changed_since_its_parts_were_segmented(tmp_path, video, frames):
    folders = parts(video, tmp_path, [(0, 3), (3, None)])
    write_video(video, frames)
    with pytest.raises(DataError, match=f"clip.mkv: {frames} frames were read now, 9 when its parts were segmented"):
        api.join_parts(video, folders, tmp_path / "joined", OPTIONS)


def test_parts_that_do_not_fit(tmp_path, video):
    folders = parts(video, tmp_path, [(0, 3), (3, 6), (6, 20)])
    with pytest.raises(DataError, match="the video ended at frame 9, and keyframes are given behind it"):
        api.join_parts(video, folders, tmp_path / "joined", OPTIONS)
    with pytest.raises(DataError, match="starts at frame 6, the parts before it end at 3"):
        api.join_parts(video, [folders[0], folders[2]], tmp_path / "joined", OPTIONS)
    with pytest.raises(DataError, match="no finished part"):
        api.join_parts(video, [folders[0], tmp_path / "none"], tmp_path / "joined", OPTIONS)
    assert not (tmp_path / "joined").exists()
    with pytest.raises(MaskError, match="a part starts at frame 4 .*has no mask; masks are there for 0, 3, 6"):
        parts(video, tmp_path, [(4, 6)])
    with pytest.raises(MaskError, match="its 0 frames ended before"):
        shutil.copy(tmp_path / "masks" / "000006.png", tmp_path / "masks" / "000010.png")
        parts(video, tmp_path, [(10, None)])
    for start, stop in ((-1, None), (3, 3)):
        with pytest.raises(ConfigError, match="need 0 <= start < stop"):
            api.Span(start, stop)
    with pytest.raises(ConfigError, match="alpha vp9: cannot be made of a video that is split"):
        api.part_options(api.SegmentOptions(alpha=("png", "vp9")))


def test_a_model_in_memory_serves_many_videos(tmp_path, video):
    options = api.part_options(OPTIONS)
    model = api.open_model(options)
    assert model.serves(options) and not model.serves(api.SegmentOptions(short_side=64, device="cpu"))
    assert model.sha256 == api.model_sha256("camn-mobile")
    first = tmp_path / "masks" / "000000.png"
    api.segment_video(video, first, tmp_path / "alone", options)
    for out in ("one", "two"):
        api.segment_video(video, first, tmp_path / out, options, loaded=model)
        assert pictures(tmp_path / out) == pictures(tmp_path / "alone")
    api.segment_video(video, first, tmp_path / "other", options, loaded=model, short_side=48)
    assert json.loads((tmp_path / "other" / "run.json").read_text())["options"]["short_side"] == 48
