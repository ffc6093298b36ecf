"""Movies of masks that are there already."""

import av
import numpy as np
import pytest
from PIL import Image

from camn import api
from camn.api.segment.exporters.cutout import cut
from camn.errors import VideoError
from camn.masks import PALETTE
from camn.media.overlay import draw_overlay

SIZE = (32, 48)


@pytest.fixture
def source(tmp_path) -> api.FrameSource:
    """Five grey frames."""
    (tmp_path / "frames").mkdir()
    for index in range(5):
        Image.fromarray(np.full((*SIZE, 3), 100, np.uint8)).save(tmp_path / "frames" / f"{index}.png")
    return api.open_source(tmp_path / "frames")


def masks(index: int) -> np.ndarray | None:
    """None on frame 0, then a block of object 3 on the left half."""
    ids = np.zeros(SIZE, np.uint8)
    ids[:, :24] = 3
    return ids if index else None


def test_an_overlay_in_given_colours_and_so_many_frames(source, tmp_path):
    told = []
    path = tmp_path / "o.mp4"
    colours = {3: (0, 0, 255)}
    api.write_movie("overlay", source, masks, path, fps=10, colours=colours, count=4, progress=told.append)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert told == [1, 2, 3, 4] and len(frames) == 4
    palette = PALETTE.copy()
    palette[3] = colours[3]
    grey = np.full((*SIZE, 3), 100, np.uint8)
    for index, frame in enumerate(frames):
        ids = masks(index)
        expected = draw_overlay(grey, np.zeros(SIZE, np.uint8) if ids is None else ids, 0.5, palette)
        assert np.abs(frame - expected)[4:-4, 4:20].max() < 12 and np.abs(frame - expected)[4:-4, 28:-4].max() < 12


def test_a_cut_out_has_soft_edges():
    ids = masks(1)
    assert ids is not None
    alpha = cut(np.zeros((*SIZE, 3), np.uint8), ids)[..., 3]
    assert (alpha[:, :21] == 255).all() and (alpha[:, 27:] == 0).all()
    assert (np.diff(alpha[5].astype(int)) <= 0).all() and 100 < alpha[5, 23] < 200


def test_work_that_is_stopped_leaves_no_file(source, tmp_path):
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.write_movie("overlay", source, masks, tmp_path / "o.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_frames_of_too_many_pixels_are_refused_before_they_are_read(source, tmp_path):
    assert api.open_source(source.path, 32 * 48).size == SIZE
    with pytest.raises(VideoError, match="48x32 pixels; at most 1535"):
        api.open_source(source.path, 32 * 48 - 1)
    path = tmp_path / "v.mp4"
    api.write_movie("overlay", source, masks, path)
    assert len(list(api.open_source(path, 32 * 48))) == 5
    with pytest.raises(VideoError, match="at most 1535"):
        api.open_source(path, 32 * 48 - 1)
