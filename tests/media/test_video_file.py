"""Reading real video files, written here through PyAV: containers, times, rotation, depth, damage."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from videos import COUNT, SIZE, make_video, noisy_video, picture

from camn.errors import VideoError
from camn.media.opening import open_source
from camn.media.source import Frame, FrameSource
from camn.media.video_file import Orientation


def check(frame: Frame, index: int, size: tuple[int, int] = SIZE, tolerance: int = 12) -> None:
    assert (frame.index, frame.name) == (index, f"{index:06d}")
    assert frame.image.shape == (*size, 3) and frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
    error = np.abs(frame.image.astype(int) - picture(index, size))
    assert abs(frame.image[size[0] // 3 :].mean() - picture(index, size)[size[0] // 3 :].mean()) <= 8
    assert np.median(error) <= tolerance and error[4:8, 4:8].max() <= 3 * tolerance
    assert error[-1].mean() <= tolerance and error[-1, -1].max() <= tolerance  # odd sizes end here


def warning(source: FrameSource) -> str:
    (text,) = source.warnings
    return text


CONTAINERS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mov", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.webm", "libvpx-vp9", "yuv420p"),
    ("a.webm", "libvpx", "yuv420p"),
    ("a.avi", "mpeg4", "yuv420p"),
    ("a.avi", "libx264", "yuv420p"),  # with B-frames, which AVI cannot time
    ("a.gif", "gif", "rgb8"),
    ("a.ts", "libx264", "yuv420p"),
    ("a.mkv", "ffv1", "gray"),
    ("hevc.mp4", "libx265", "yuv420p10le"),
    ("high10.mkv", "libx264", "yuv420p10le"),
    ("prores.mov", "prores_ks", "yuv422p10le"),
    ("ffv1.mkv", "ffv1", "yuv444p16le"),
]


@pytest.mark.parametrize(("name", "codec", "pixels"), CONTAINERS)
def test_every_container_and_depth(tmp_path, name, codec, pixels):
    source = open_source(make_video(tmp_path / name, codec, pixels, options={"log-level": "none"}))
    assert (source.kind, source.size, source.fps, source.names) == ("video", SIZE, 25, None)
    assert source.count == (None if name == "a.ts" else COUNT)
    for _ in range(2):  # as often as one likes
        frames = list(source)
        assert [f.time for f in frames] == [Fraction(i, 25) for i in range(COUNT)]
        assert source.warnings == []
    for index, frame in enumerate(frames):
        if pixels == "gray":
            grey = frame.image.astype(int)
            assert np.ptp(grey, axis=2).max() == 0 and abs(grey[-1, -1, 0] - picture(index)[-1, -1, 0]) <= 2
        else:
            check(frame, index, tolerance=85 if codec == "gif" else 12)  # two bits of blue


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), 60, 1])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_frame_rates(tmp_path, name, fps):
    source = open_source(make_video(tmp_path / name, fps=fps, count=10))
    assert source.fps == fps
    assert source.time_base is not None
    for index, frame in enumerate(source):
        assert frame.time is not None and abs(frame.time - index / Fraction(fps)) <= source.time_base


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
def test_variable_rate_keeps_each_time(tmp_path, name, codec):
    times = [0, 40, 100, 300, 340, 380, 800, 840, 1000, 1100]
    source = open_source(make_video(tmp_path / name, codec, count=10, times=times))
    frames = list(source)
    assert [f.time for f in frames] == [Fraction(t, 1000) for t in times]
    assert source.warnings == []


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_applied(tmp_path, name, degrees):
    source = open_source(make_video(tmp_path / name, rotation=degrees, count=2))
    assert source.size == (SIZE if degrees % 180 == 0 else SIZE[::-1])
    for index, frame in enumerate(source):
        expected = np.rot90(picture(index), degrees // 90)  # counter-clockwise, as the matrix
        assert np.abs(frame.image.astype(int) - expected).mean() < 6
        assert frame.image.shape[:2] == source.size


def test_rotate_tag_of_older_files(tmp_path):
    source = open_source(make_video(tmp_path / "a.mkv", rotate_tag="90", count=2))
    (frame, _) = source
    assert np.abs(frame.image.astype(int) - np.rot90(picture(0), -1)).mean() < 6  # the tag counts clockwise


@given(st.sampled_from([0, 90, 180, 270]), st.booleans(), st.booleans())
def test_orientation_moves_pixels_as_the_matrix_says(degrees, flip_x, flip_y):
    turn = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = turn
    a, c = (-a, -c) if flip_x else (a, c)
    b, d = (-b, -d) if flip_y else (b, d)
    matrix = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], np.int32).tobytes()
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    upright = Orientation.from_matrix(matrix).apply(image)
    points = {(a * x + c * y, b * x + d * y): image[y, x] for y in range(2) for x in range(3)}
    left, top = min(x for x, _ in points), min(y for _, y in points)
    assert len(points) == upright.shape[0] * upright.shape[1]
    for (x, y), pixel in points.items():
        assert np.array_equal(upright[y - top, x - left], pixel)


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (33, 35)])
@pytest.mark.parametrize(("name", "codec", "pixels"), [
    ("a.webm", "libvpx-vp9", "yuv420p"), ("a.mp4", "libx264", "yuv444p"), ("a.mkv", "ffv1", "yuv420p"),
])  # fmt: skip
def test_odd_sizes(tmp_path, size, name, codec, pixels):
    source = open_source(make_video(tmp_path / name, codec, pixels, size=size, count=3))
    assert source.size == size
    for index, frame in enumerate(source):
        check(frame, index, size)


def test_names_that_look_like_something_else(tmp_path):
    for name in ("a:b.mp4", "http:x.mp4", "%03d.mp4", "mit Leerzeichen ü.mp4"):
        assert len(list(open_source(make_video(tmp_path / name, count=2)))) == 2


def test_sound_and_its_length_do_not_matter(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream) and isinstance(sound, av.AudioStream)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), "rgb24")))
        container.mux(stream.encode(None))
        for index in range(40):
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            chunk.rate, chunk.pts = 8000, index * 1024
            container.mux(sound.encode(chunk))
        container.mux(sound.encode(None))
    source = open_source(path)
    assert len(list(source)) == 5 and source.warnings == []


@pytest.mark.parametrize("part", [0.4, 0.75, 0.95])
@pytest.mark.parametrize(("name", "codec", "pixels"), [
    ("a.mp4", "libx264", "yuv420p"), ("a.mov", "prores_ks", "yuv422p10le"), ("a.mkv", "libx264", "yuv420p"),
    ("a.webm", "libvpx-vp9", "yuv420p"), ("a.avi", "mpeg4", "yuv420p"), ("a.gif", "gif", "rgb8"),
    ("a.ts", "libx264", "yuv420p"),
])  # fmt: skip
def test_truncated_file_yields_what_it_has_and_warns(tmp_path, name, codec, pixels, part):
    whole = noisy_video(tmp_path / name, codec, pixels)
    before = [f.image for f in open_source(whole)]
    cut = tmp_path / f"cut-{name}"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * part) // 188 * 188 + 100])
    source = open_source(cut)
    frames = list(source)
    assert 1 <= len(frames) < COUNT or (codec == "mpeg4" and part == 0.95)  # AVI's index stands at its end
    if len(frames) < COUNT:
        counted = name not in ("a.ts", "a.gif")
        assert f"{cut}: the video ends early: {len(frames)}" in warning(source)
        assert (f"of {COUNT}" in warning(source) or f"of about {COUNT}" in warning(source)) == counted
    for frame, image in zip(frames[:-1], before, strict=False):  # the last of a GIF or TS may be half a picture
        assert np.array_equal(frame.image, image)


def test_warnings_are_those_of_the_last_iteration(tmp_path):
    path = noisy_video(tmp_path / "a.mkv")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    source = open_source(path)
    list(source)
    list(source)
    assert len(source.warnings) == 1
    path.write_bytes(content)
    list(source)
    assert source.warnings == []


def test_closing_early_closes_the_file(tmp_path):
    path = make_video(tmp_path / "a.mp4")
    opened = lambda: [link for link in Path("/proc/self/fd").iterdir() if link.resolve() == path]  # noqa: E731
    source = open_source(path)
    frames = iter(source)
    next(frames)
    assert opened()
    frames.close()  # type: ignore[attr-defined]
    assert not opened() and source.warnings == []


def bad_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    video = make_video(folder / "whole.mp4").read_bytes()
    return {
        "empty.mp4": (b"", "the file is empty"),
        "text.mp4": (b"these are words\n" * 200, "not a video"),
        "text.txt": (b"these are words\n" * 200, "not a video"),
        "random.mkv": (np.random.default_rng(0).bytes(20_000), "not a video"),
        "beheaded.mp4": (video[: len(video) // 2], "truncated before its index"),
        "list.m3u8": (b"#EXTM3U\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n", "not a video"),
    }


def test_what_is_no_video_is_refused(tmp_path):
    for name, (content, reason) in bad_files(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(VideoError, match=reason) as caught:
            open_source(path)
        assert str(path) in str(caught.value) and "give an intact video" in str(caught.value)


def test_sound_only_is_refused(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        assert isinstance(sound, av.AudioStream)
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        chunk.rate = 8000
        container.mux(sound.encode(chunk))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError, match="holds sound, but no video"):
        open_source(path)


def test_memory_is_flat(tmp_path):
    """400 frames of 1.1 MB: a reader that kept them would need 450 MB more than one that keeps one."""
    path = make_video(tmp_path / "a.mp4", size=(480, 800), count=5, options={"preset": "ultrafast"})
    source = open_source(path)
    with av.open(str(path)) as container:
        assert source.count == container.streams.video[0].frames == 5
    code = (
        "import resource, sys\nfrom camn.media.opening import open_source\nfrom camn.media.source import prefetch\n"
        "peaks = []\nfor _ in range(60):\n    for frame in prefetch(open_source(sys.argv[1])): pass\n"
        "    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\nprint(peaks[-1] - peaks[5])"
    )
    grown = int(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True).stdout)
    assert grown < 30_000  # kilobytes


def test_data_imports_without_pyav():
    code = (
        "import sys; sys.modules['av'] = None\n"
        "import camn.media.opening, camn.media.outputs, camn.media.overlay\n"
        "from camn.errors import VideoError\n"
        "try: camn.media.opening.open_source(sys.argv[1])\n"
        "except VideoError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, __file__], check=True, capture_output=True, text=True)
    assert "pip install av" in done.stdout
