"""When a video's frames are shown, and how long it is."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from videos import SIZE, make_video, picture

from camn.media.alpha import AlphaWriter
from camn.media.opening import open_source
from camn.media.overlay import OverlayWriter

FRAME_DURATION = 1 << 8


def write(path: Path, codec: str, times: list[int], last: int = 40, pixels: str = "yuv420p", **options: str) -> Path:
    """times: in ms. last: how long the last frame is shown, in ms."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.flags |= FRAME_DURATION
        for index, (time, until) in enumerate(pairwise([*times, times[-1] + last])):
            frame = av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base, frame.duration = time, Fraction(1, 1000), until - time
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


LATE = [
    ("a.mkv", "libx264"), ("a.mkv", "ffv1"), ("a.webm", "libvpx-vp9"), ("a.wmv", "wmv2"), ("a.flv", "flv"),
    ("a.mp4", "libx264"),
    ("a.ts", "libx264"), ("a.mov", "mjpeg"), ("a.nut", "libx264"),
]  # fmt: skip


@pytest.mark.parametrize("start", [80, 5000])
@pytest.mark.parametrize(("name", "codec"), LATE)
def test_a_whole_file_that_starts_late_is_whole(tmp_path, name, codec, start):
    """Matroska and ASF state when a video ends, others how long it is."""
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write(tmp_path / name, codec, list(range(start, start + 480, 40)), pixels=pixels)
    source = open_source(path)
    assert [f.time for f in source] == [Fraction(i, 25) for i in range(12)] and source.warnings == []
    assert source.count == {"a.ts": None, "a.nut": 11}.get(name, 12)  # NUT states when the last one begins


@pytest.mark.parametrize(("name", "codec"), LATE[:5])
def test_one_that_starts_late_and_is_cut_is_said_to_be(tmp_path, name, codec):
    path = write(tmp_path / name, codec, list(range(5000, 7000, 40)), **({"g": "1"} if codec == "libx264" else {}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    source = open_source(path)
    frames = list(source)
    assert len(frames) < 50 and f"ends early: {len(frames)} " in source.warnings[-1]


HELD = [
    ("a.mkv", "libx264", "yuv420p"), ("a.webm", "libvpx-vp9", "yuv420p"), ("a.mp4", "libx264", "yuv420p"),
    ("a.mov", "prores_ks", "yuv422p10le"), ("a.gif", "gif", "rgb8"),
]  # fmt: skip


def length(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / 1_000_000


@pytest.mark.parametrize(("name", "codec", "pixels"), HELD)
def test_a_last_frame_that_is_held_is_no_early_end_and_is_kept(tmp_path, name, codec, pixels):
    path = write(tmp_path / name, codec, [0, 40, 80, 200, 240], 5000, pixels)
    source = open_source(path)
    frames = list(source)
    assert source.warnings == [] and frames[-1].duration == 5
    overlay = tmp_path / "overlay.mp4"
    with OverlayWriter(overlay, source.size, source.fps or 24, source.time_base) as writer:
        for frame in frames:
            writer.write(frame, np.zeros(source.size, np.uint8))
    assert [f.time for f in open_source(overlay)] == [f.time for f in frames]
    assert abs(length(overlay) - 5.24) < 0.01
    for kind, file in (("prores", "1.mov"), ("vp9", "1.webm")) if codec == "libx264" else ():
        with AlphaWriter(tmp_path / "alpha", kind, source.size, source.fps or 24, source.time_base) as writer:
            for frame in frames:
                writer.write(frame, {1: np.ones(source.size, np.float32)} if frame.index > 1 else {})
        assert abs(length(tmp_path / "alpha" / file) - 5.24) < 0.01


@pytest.mark.parametrize(("name", "codec", "pixels"), HELD)
def test_a_video_of_one_frame(tmp_path, name, codec, pixels):
    for last in (40, 3000):
        source = open_source(write(tmp_path / name, codec, [0], last, pixels))
        (frame,) = source
        assert frame.time == 0 and source.count == 1 or source.fps is not None and source.warnings == []
        assert source.warnings == []


def test_an_edit_list_that_leaves_the_first_frames_out(tmp_path):
    path = write(tmp_path / "a.mp4", "libx264", list(range(0, 800, 40)), bf="2")
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 4 + 8 + 4  # of its first entry the start on the track's clock
    start = int.from_bytes(content[at : at + 4], "big")
    content[at : at + 4] = (start + 3 * 640).to_bytes(4, "big")  # of 1/16000 s
    path.write_bytes(content)
    source = open_source(path)
    frames = list(source)
    assert [f.time for f in frames] == [Fraction(i, 25) for i in range(17)] and source.count == 17
    assert source.warnings == [] and np.abs(frames[0].image.astype(int) - picture(3)).mean() < 8


def test_an_avi_with_empty_chunks_keeps_its_times(tmp_path):
    times = [0, 40, 80, 200, 240]
    source = open_source(write(tmp_path / "a.avi", "mpeg4", times))
    assert [f.time for f in source] == [Fraction(t, 1000) for t in times]
    assert source.count == 5 and source.warnings == []


def test_transport_streams_joined_run_on(tmp_path):
    one = make_video(tmp_path / "a.ts", count=10).read_bytes()
    late = write(tmp_path / "b.ts", "libx264", list(range(50_000, 50_400, 40))).read_bytes()
    (tmp_path / "joined.ts").write_bytes(one + late + one)
    source = open_source(tmp_path / "joined.ts")
    times = [f.time or Fraction(0) for f in source]
    assert len(times) == 30 and all(0 < b - a < 0.2 for a, b in pairwise(times))


def test_statements_that_cannot_be(tmp_path):
    """Of a rate, a length, a number of frames: they are not believed, and nothing breaks."""
    path = make_video(tmp_path / "a.mkv", count=5)
    whole = path.read_bytes()
    at = whole.index(b"00:00:00", whole.index(b"DURATION"))
    for said in (b"99:99:99", b"nan:00:0", b"-1:00:00"):
        path.write_bytes(whole[:at] + said + whole[at + 8 :])
        source = open_source(path)
        assert len(list(source)) == 5 and source.count in (5, None, 1)
    path = make_video(tmp_path / "a.mp4", count=1)
    content = bytearray(path.read_bytes())
    at = content.index(b"stts") + 4 + 8 + 4
    content[at : at + 4] = (2**31 - 1).to_bytes(4, "big")
    path.write_bytes(content)
    source = open_source(path)
    (frame,) = source
    with OverlayWriter(tmp_path / "overlay.mp4", source.size, source.fps or 24, source.time_base) as writer:
        writer.write(frame, np.zeros(source.size, np.uint8))
    assert open_source(tmp_path / "overlay.mp4").count == 1
    for fps, size in ((90_000, SIZE), (25, (1, 1)), (25, (16, 16_384))):
        source = open_source(make_video(tmp_path / "b.mkv", "ffv1", "yuv444p", fps=fps, size=size, count=2))
        assert source.size == size and len(list(source)) == 2
