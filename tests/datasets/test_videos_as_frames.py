"""Video files in place of folders of frames: which frame is which, what is kept of them, what is wrong with them."""

import json
import os
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from videos import hurt, make_video, noisy_video

from camn import api, cli
from camn.clips.dataset import ClipDataset, ClipOptions
from camn.datasets import videos
from camn.datasets.layouts import open_videos
from camn.errors import CamnError, DataError
from camn.media.opening import open_source

SIZE = (48, 64)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Of each test its own."""
    monkeypatch.setenv("CAMN_CACHE", str(tmp_path / "cache"))
    videos._kept_of.cache_clear()
    return tmp_path / "cache" / "frames"


def masks(folder, numbers, size=SIZE):
    folder.mkdir(parents=True)
    for number in numbers:
        ids = np.zeros(size, np.uint8)
        ids[10:30, 10 + number : 30 + number] = 1
        Image.fromarray(ids).save(folder / f"{number:06d}.png")
    return folder


@pytest.fixture
def root(tmp_path):
    """One video beside its folder, of uneven times; one within, whose container does not say how many frames it has."""
    masks(tmp_path / "data" / "a" / "masks", [0, 2, 5])
    make_video(tmp_path / "data" / "a.mp4", count=6, times=[0, 40, 50, 200, 210, 600])
    masks(tmp_path / "data" / "b" / "masks", [1, 3])
    make_video(tmp_path / "data" / "b" / "any name.mkv", count=5)
    return tmp_path / "data"


def test_frames_are_those_that_segmenting_sees(root, cache):
    found = open_videos(root)
    assert [(one.name, len(one), one.annotated) for one in found.sequences] == [("a", 6, (0, 2, 5)), ("b", 5, (1, 3))]
    for sequence in found.sequences:
        wanted = [frame.image for frame in open_source(sequence.frames[0].parent)]
        assert all(np.array_equal(*both) for both in zip(sequence.pictures(), wanted, strict=True))
        for index in reversed(sequence.annotated):
            frame, labels = sequence.read(index)
            assert np.abs(frame.astype(int) - wanted[index]).mean() < 2 and labels.max() == 1  # greys are 5 apart
    assert len(list(cache.glob("*/about.json"))) == 2


def test_clips_of_training_are_drawn_of_them(root):
    options = ClipOptions(size=(33, 33), frames=2, gap=(1, 2))
    clip = ClipDataset(open_videos(root).sequences, None, options, length=4)[3]
    assert clip.frames.shape[:2] == (2, 3) and clip.labels.max() == 1


def test_a_run_of_camn_segment(root, tmp_path):
    """Its own video is meant, not its overlay."""
    out = masks(tmp_path / "runs" / "one" / "masks", range(6)).parent
    make_video(out / "overlay.mp4", count=2)
    (out / "run.json").write_text(json.dumps({"program": "camn", "video": str(root / "a.mp4")}))
    (sequence,) = open_videos(out.parent).sequences
    assert sequence.frames[3] == root / "a.mp4" / "000003" and len(sequence.annotated) == 6
    (root / "a.mp4").rename(out.parent / "moved.mp4")
    with pytest.raises(DataError, match=r"a\.mp4: the video of this run is not there any more; bring it back there, or "
                                        rf"call it {out}\.mp4, beside the run's folder"):  # fmt: skip
        open_videos(out)
    (out.parent / "moved.mp4").rename(out.parent / "one.mp4")
    (sequence,) = open_videos(out.parent).sequences
    assert sequence.frames[3] == out.parent / "one.mp4" / "000003"
    (out.parent / "one.mp4").unlink()
    (out / "run.json").write_text(json.dumps({"program": "camn", "video": "standard input", "stream": {}}))
    with pytest.raises(DataError, match=rf"was a stream, .*call a recording of just these frames {out}\.mkv, beside"):
        open_videos(out)


def test_a_container_that_lies_about_its_frames_is_counted(tmp_path):
    """Its index, which stands at the end and tells better, is cut away."""
    masks(tmp_path / "data" / "a" / "masks", [0, 5])
    path = make_video(tmp_path / "data" / "a.avi", "mjpeg", "yuvj420p", count=6)
    content = path.read_bytes()[: path.read_bytes().index(b"idx1")]
    at = content.index(b"vids") + 32  # dwLength of its stream, see AVISTREAMHEADER
    assert int.from_bytes(content[at : at + 4], "little") == 6
    for lie in (2, 2_000_000_000):
        path.write_bytes(content[:at] + lie.to_bytes(4, "little") + content[at + 4 :])
        (sequence,) = open_videos(tmp_path / "data").sequences
        assert (len(sequence), sequence.annotated) == (6, (0, 5)) and sequence.read(5)[1].any()


def test_the_check(root, capsys, monkeypatch):
    assert cli.main(["data", "check", str(root), "--frames", "2"]) == 0
    assert "64x48" in capsys.readouterr().out
    masks(root / "c" / "masks", [1, 7], (40, 64))
    make_video(root / "c.mp4", count=3)
    (root / "d").mkdir()
    masks(root / "d" / "masks", [0])
    hurt(noisy_video(root / "d.mp4"), [12])
    report = "\n".join(api.check_data(root, frames=2).problems)
    told = ("without a partner: 000007", "64x40, but its frame is 64x48", "d.mp4: ", "d: 1 frames with a mask")
    assert not [one for one in told if one not in report]


@pytest.mark.parametrize("kind", ["no masks", "two videos", "no video"])
def test_what_is_no_clip(tmp_path, kind):
    top = tmp_path / "data"
    if kind == "no masks":
        top.mkdir()
        make_video(top / "a.mp4", count=1)
        said = r"a/masks: no such folder"
    else:
        masks(top / "a" / "masks", [0])
        said = {"two videos": "which video", "no video": "no such folder"}[kind]
    if kind == "two videos":
        make_video(top / "a.mp4", count=1)
        make_video(top / "a" / "b.mp4", count=1)
    with pytest.raises(DataError, match=said):
        open_videos(top)


def test_a_video_that_ends_early(root):
    """Its index says that there is more."""
    path = noisy_video(root / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sequence = open_videos(root).sequences[0]
    assert len(sequence) == 30
    with pytest.raises(DataError, match=r"a\.mp4: only \d+ frames could be read"):
        videos.read_frame(sequence.frames[29])
    with pytest.raises(DataError, match=r"a\.mp4: only \d+ frames could be read"):
        list(sequence.pictures())


def test_what_is_kept_is_made_anew_when_the_video_changes_or_it_is_gone(root, cache):
    first, _ = open_videos(root).sequences
    before = videos.read_frame(first.frames[5])
    for path in cache.glob("*/*"):
        path.unlink()
    assert np.array_equal(videos.read_frame(first.frames[5]), before)
    make_video(root / "a.mp4", count=6, fps=Fraction(12))
    os.utime(root / "a.mp4", (1, 1))
    videos.read_frame(first.frames[5])
    assert len(list(cache.glob("*/about.json"))) == 2


def test_what_was_used_longest_ago_goes(root, cache, monkeypatch):
    first, second = open_videos(root).sequences
    videos.read_frame(first.frames[0])
    (old,) = (path.parent for path in cache.glob("*/about.json") if '"frames": 6' in path.read_text())
    for path in cache.glob("*/about.json"):
        (path.parent / "gone.jpg").symlink_to("nowhere")  # as one that another process has removed meanwhile
        os.utime(path.parent, (1, 1))
    (cache / "another").mkdir()
    (cache / "another" / "000000.jpg").symlink_to("what another process has removed just now")
    monkeypatch.setattr(videos, "LIMIT", 1)
    videos._kept_of.cache_clear()
    os.utime(root / "b" / "any name.mkv", (1, 1))
    with pytest.raises(CamnError, match="take more than 0 GiB"):
        videos.read_frame(second.frames[0])
    assert not old.exists()
