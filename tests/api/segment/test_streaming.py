"""The main job on streams: first frame, drops, times, the usual end, the record."""

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from streaming import SIZE, serving, until
from videos import make_video

from camn import api
from camn.api.segment.spans import FirstSeconds
from camn.errors import ConfigError, MaskError, VideoError
from camn.masks import write_palette_png

QUICK = {"short_side": 32, "threads": 1, "json": False}


@pytest.fixture
def mask(tmp_path):
    ids = np.zeros(SIZE, np.uint8)
    ids[8:24, 10:30] = 3
    write_palette_png(tmp_path / "mask.png", ids)
    return tmp_path / "mask.png"


def record(folder) -> dict:
    return json.loads((folder / "run.json").read_text())


def test_a_camera_is_followed_until_ctrl_c(tmp_path, mask, monkeypatch):
    """One of the web. After each frame ten more come, of which one is taken."""
    out, opened = tmp_path / "out", []

    def open_source(*given, **more):
        opened.append(api.open_source(*given, **more))
        return opened[0]

    monkeypatch.setattr("camn.api.segment.run.open_source", open_source)
    with serving() as server:
        server.pages["/live"] = lambda page: page.pictures()
        server.more.release(3)
        notes = []

        def progress(done: api.Progress) -> None:
            notes.append(done.note)
            if done.done == 4:
                until((out / "masks" / "000003.png").exists, 120)
                raise KeyboardInterrupt
            dropped = opened[0].dropped
            server.more.release(10)
            until(lambda: opened[0].dropped >= dropped + 9, 120)

        url = f"{server.url.replace('//', '//me:secret@')}/live?key=secret"
        summary = api.segment_video(url, mask, out, progress=progress, **QUICK)
    assert summary.frames == 4 and sorted(file.stem for file in (out / "masks").iterdir())[-1] == "000003"
    known = record(out)
    dropped = known["stream"]["dropped"]
    assert known["status"] == "done" and known["video"] == f"{server.url}/live?..." and known["frames"] == 4
    assert dropped >= 27 and known["stream"] == {"frames": "newest", "dropped": dropped, "ended": "stopped"}
    assert any(f"{dropped} of {dropped + 4} frames were dropped" in warning for warning in summary.warnings)
    assert notes[0] == "" and notes[-1].endswith(" dropped") and "secret" not in (out / "run.json").read_text()
    with av.open(str(out / "overlay.mp4")) as movie:
        times = [frame.time for frame in movie.decode(video=0)]
    assert len(times) == 4 and times == sorted(set(times))
    with Image.open(out / "masks" / "000000.png") as first:
        assert set(np.unique(np.array(first))) == {0, 3}
    api.export_run(out, ["coco"], tmp_path / "more")
    with pytest.raises(VideoError, match="was a stream, and its frames are gone; choose exports that need its masks"):
        api.export_run(out, ["overlay"], tmp_path / "shown")


def test_what_a_stream_cannot_be_given(tmp_path, mask):
    later = tmp_path / "later"
    later.mkdir()
    mask.rename(later / "000004.png")
    with serving() as server:
        server.pages["/live"] = lambda page: (server.more.release(9), page.pictures())
        for masks, marks, words in (
            (later, None, "has a mask for frame 4, but which frames"),
            (None, api.Marks({1: [(20, 16)]}, at=2), "a stream is clicked on its first frame"),
        ):
            with pytest.raises(MaskError, match=words):
                api.segment_video(f"{server.url}/live", masks, tmp_path / "out", marks=marks, **QUICK)
        with pytest.raises(VideoError, match="of a stream the first frame alone"):
            api.mark(f"{server.url}/live", api.Marks({1: [(20, 16)]}, at=2), tmp_path / "a.png")
        marked, _ = api.mark(f"{server.url}/live", api.Marks({1: [(20, 16)]}), tmp_path / "a.png")
        assert marked.frame.index == 0 and not (tmp_path / "out").exists()


def test_seconds_bound_every_video(tmp_path, mask):
    video = make_video(tmp_path / "a.mp4", count=6, size=SIZE)
    (tmp_path / "frames").mkdir()
    for index in range(5):
        Image.new("RGB", SIZE[::-1]).save(tmp_path / "frames" / f"{index}.png")
    for path, seconds, frames in ((video, 0.1, 3), (video, 9, 6), (video, 1e-9, 1), (tmp_path / "frames", 0.12, 3)):
        source = FirstSeconds(api.open_source(path), seconds, Fraction(25))
        assert (len(list(source)), source.count) == (frames, frames)
    summary = api.segment_video(tmp_path / "frames" / "%d.png", mask, tmp_path / "out", seconds=0.04, fps=25, **QUICK)
    known = record(tmp_path / "out")
    assert (summary.frames, known["status"], known["first_seconds"]) == (1, "done", 0.04)
    assert api.export_run(tmp_path / "out", ["overlay"], tmp_path / "more").frames == 1
    with pytest.raises(ConfigError, match="seconds is 0: it must be more than 0"):
        api.segment_video(video, mask, tmp_path / "out", seconds=0, **QUICK)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_pipe_gives_all_its_frames_and_ctrl_c_ends_it(tmp_path, mask):
    """As `ffmpeg ... -f matroska - | camn segment -`, of a sender that goes on."""
    content = make_video(tmp_path / "a.mkv", "mjpeg", "yuvj420p", count=6, size=SIZE).read_bytes()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "camn", "segment", "-", "--masks", str(mask), "--out", str(out)]
    command += ["--short-side", "32", "--no-json", "--no-overlay"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(content)
    process.stdin.flush()
    until(lambda: (out / "masks" / "000004.png").exists() or process.poll() is not None, 120)
    process.send_signal(signal.SIGINT)
    process.wait(120)  # its input still open
    process.stdin.close()
    assert process.returncode == 0, process.stderr and process.stderr.read()
    known = record(out)
    assert known["status"] == "done" and known["video"] == "standard input" and known["frames"] >= 5
    assert known["stream"] == {"frames": "all", "dropped": 0, "ended": "stopped"}
