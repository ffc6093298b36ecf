"""Objects marked by clicks: on which frame, beside masks, in parts of a video, and on the clip of the demo."""

import json

import av
import numpy as np
import pytest
import torch
from PIL import Image

from camn import api
from camn.api.segment.given import with_marked
from camn.api.segment.marking import Marked
from camn.api.segment.spans import frame_at
from camn.errors import MaskError, OutputError, VideoError
from camn.masks import Marks, MaskSet, ObjectIds, read_mask, write_palette_png
from camn.media.opening import open_source

SIZE = (64, 96)
OPTIONS = api.SegmentOptions(short_side=32, device="cpu", threads=1, backend="eager", overlay=False, json=False)


def drawn(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[6 + index : 26 + index, 10:40] = 7
    return ids


def picture(index: int) -> np.ndarray:
    image = np.where(drawn(index)[..., None] > 0, (220, 40, 40), (90, 90, 90)).astype(np.uint8)
    image[38:60, 55:90] = (30, 60, 230)
    return image


@pytest.fixture
def video(tmp_path):
    """clip.mkv of six frames, a red box that moves and a blue one; masks/ of the red one on frames 0 and 3."""
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "bgr0"
        for index in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    (tmp_path / "masks").mkdir()
    for index in (0, 3):
        write_palette_png(tmp_path / "masks" / f"{index:06d}.png", drawn(index))
    return tmp_path / "clip.mkv"


def marked(ids: np.ndarray, at: int) -> Marked:
    """As if clicks had marked this."""
    scores = dict.fromkeys(ObjectIds.of(ids), 0.9)
    marks = Marks({id: [(1, 1)] for id in scores}, at=at)
    return Marked(marks, None, ids, scores, {id: int((ids == id).sum()) for id in scores})  # type: ignore[arg-type]


def test_a_frame_of_a_video_and_of_a_folder(video, tmp_path):
    (tmp_path / "frames").mkdir()
    for index in range(6):
        Image.fromarray(picture(index)).save(tmp_path / "frames" / f"{index}.png")
    for path in (video, tmp_path / "frames"):
        frame = frame_at(open_source(path), 4)
        assert frame.index == 4 and np.array_equal(frame.image, picture(4))
        for late in (6, 10**12):
            with pytest.raises(VideoError, match=f"there is no frame {late}: it has 6, 0..5"):
                frame_at(open_source(path), late)


def test_masks_stay_and_what_is_marked_comes_to_them():
    ids = np.zeros(SIZE, np.uint8)
    ids[20:40, 20:60] = 2
    given = MaskSet({0: drawn(0), 3: drawn(3)}, ObjectIds((7,)))
    same = with_marked(given, marked(ids, 3))
    assert list(same.masks) == [0, 3] and same.ids.ids == (2, 7)
    assert (same.masks[3][drawn(3) == 7] == 7).all() and (same.masks[3][(drawn(3) == 0) & (ids == 2)] == 2).all()
    assert np.array_equal(given.masks[3], drawn(3))  # an argument is not edited
    other = with_marked(given, marked(ids, 1))
    assert list(other.masks) == [0, 1, 3] and np.array_equal(other.masks[1], ids) and not other.absent
    with pytest.raises(MaskError, match="object 7 is on the mask of frame 3, and clicked there"):
        with_marked(given, marked(drawn(3), 3))
    with pytest.raises(MaskError, match="object 2: its clicks mark what other objects have"):
        with_marked(given, marked(np.where(drawn(3), 2, 0).astype(np.uint8), 3))
    assert any("'ignore'" in note for note in with_marked(given, marked(np.where(ids, 255, 0), 1)).notes)
    alone = with_marked(None, marked(np.where(ids, 255, drawn(3)), 1))
    assert list(alone.masks) == [1] and any("'ignore'" in note for note in alone.notes)


def test_beside_masks_that_are_whole_an_object_ends_with_the_next():
    ids = np.zeros(SIZE, np.uint8)
    ids[40:60, 60:90] = 2
    given = MaskSet({0: drawn(0), 3: drawn(3), 5: drawn(5)}, ObjectIds((7,)), absent={5: frozenset({9})}, whole=True)
    found = with_marked(given, marked(ids, 3))
    assert found.absent == {5: frozenset({2, 9})}


def test_parts_of_a_video_keep_the_mask_of_the_clicks(video, tmp_path):
    marks, folders = Marks({2: [(72, 49)]}, at=3), []
    for start, stop in ((0, 3), (3, None)):
        folders.append(tmp_path / str(start))
        span = api.Span(start, stop)
        api.segment_video(video, tmp_path / "masks", folders[-1], OPTIONS, marks=marks, span=span)
    assert not (folders[0] / "marked").exists()
    joined = api.join_parts(video, folders, tmp_path / "joined", OPTIONS)
    whole = api.segment_video(video, tmp_path / "masks", tmp_path / "whole", OPTIONS, marks=marks)
    ids = read_mask(tmp_path / "joined/marked/000003.png")
    assert set(np.unique(ids)) == {0, 2, 7} and np.array_equal(ids, read_mask(tmp_path / "whole/marked/000003.png"))
    assert np.array_equal(ids, read_mask(tmp_path / "joined/masks/000003.png"))
    assert joined.ids == whole.ids == (2, 7) and joined.outputs[0] == tmp_path / "joined/marked"
    records = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("joined", "whole")]
    assert records[0]["marks"] == records[1]["marks"] and records[1]["annotated_frames"] == [0, 3]


def test_marking_draws_none_of_the_callers_numbers_and_writes_nothing_else(video, tmp_path):
    before = torch.random.get_rng_state()
    found, files = api.mark(video, Marks({1: [(72, 49)]}, at=2), tmp_path / "m.png", device="cpu", threads=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert files == (tmp_path / "m.png",) and np.array_equal(read_mask(files[0]), found.ids)
    assert found.areas == {1: int((found.ids == 1).sum())} and found.frame.index == 2
    with pytest.raises(OutputError, match="None is no path"):
        api.segment_video(video, marks=found.marks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", "m.png", "masks"]


@pytest.mark.parametrize("frames", [16, pytest.param(None, marks=pytest.mark.slow)])
def test_one_click_holds_the_rabbit_as_the_drawn_mask_does(tmp_path, frames):
    """And one on the stones beside it, which are as grey."""
    clip, mask = api.demo_files()
    options = api.SegmentOptions(short_side=360 if frames is None else 192, overlay=False, json=False, backend="eager")
    api.segment_video(clip, mask, tmp_path / "drawn", options, span=api.Span(0, frames))
    api.segment_video(clip, None, tmp_path / "clicked", options, marks=api.demo_marks(), span=api.Span(0, frames))
    shares = []
    for path in sorted((tmp_path / "drawn/masks").iterdir()):
        one, other = (np.array(Image.open(tmp_path / kind / "masks" / path.name)) == 1 for kind in ("drawn", "clicked"))
        shares.append((one & other).sum() / max(1, (one | other).sum()))
    assert len(shares) == (frames or 132) and np.mean(shares) >= 0.9, np.mean(shares)
