"""Overlays and cut-outs as real files, read back: frames, times, sizes, colours, alpha, and what an error leaves."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from camn.errors import OutputError
from camn.masks import PALETTE
from camn.media.alpha import MARGIN, AlphaWriter, cleared, cut_out
from camn.media.movie import Encoding, Movie, time_base
from camn.media.opening import open_source
from camn.media.overlay import OverlayWriter, draw_overlay, outline
from camn.media.source import Frame

SIZE = (48, 64)


def picture(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    image = np.full((*size, 3), 20 + 8 * index, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = (200, 40, 60)
    return image


def square(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Object 1 moving right, object 7 at rest in the lower corner."""
    ids = np.zeros(size, np.uint8)
    ids[8:24, index : index + 16] = 1
    ids[-12:, -12:] = 7
    return ids


def frames(count: int, size: tuple[int, int] = SIZE, times=None) -> list[Frame]:
    return [Frame(i, f"{i:06d}", picture(i, size), times[i] if times else None) for i in range(count)]


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)), st.integers(1, 3))
def test_outline_is_what_a_walk_finds(ids, width):
    h, w = ids.shape
    expected = np.zeros((h, w), bool)
    for y in range(h):
        for x in range(w):
            near = [(y + s * k, x) for k in range(1, width + 1) for s in (-1, 1)]
            near += [(y, x + s * k) for k in range(1, width + 1) for s in (-1, 1)]
            inside = [(b, a) for b, a in near if 0 <= b < h and 0 <= a < w]
            expected[y, x] = ids[y, x] > 0 and any(ids[p] != ids[y, x] for p in inside)
    assert np.array_equal(outline(ids, width), expected)


def test_drawing_tints_inside_and_leaves_the_rest():
    image, ids = picture(0), square(0)
    kept, mask = image.copy(), ids.copy()
    drawn = draw_overlay(image, ids, 0.25)
    assert np.array_equal(image, kept) and np.array_equal(ids, mask)
    assert np.array_equal(drawn[ids == 0], image[ids == 0])
    edge = outline(ids)
    assert np.array_equal(drawn[edge], PALETTE[ids[edge]])
    inner = (ids > 0) & ~edge
    assert np.abs(drawn[inner] - (0.75 * image[inner] + 0.25 * PALETTE[ids[inner]])).max() <= 0.5


@given(arrays(np.uint8, (9, 12), elements=st.sampled_from([0, 3, 250])), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_drawing_is_a_mix_of_picture_and_palette(ids, opacity, seed):
    image = np.random.default_rng(seed).integers(0, 256, (*ids.shape, 3), dtype=np.uint8)[::-1]  # no plain layout
    mixed = np.rint(image * (1 - opacity) + PALETTE[ids] * opacity).astype(np.uint8)
    expected = np.where((ids > 0)[..., None], mixed, image)
    expected[outline(ids)] = PALETTE[ids[outline(ids)]]
    assert np.array_equal(draw_overlay(image, ids, opacity), expected)


def write_overlay(path: Path, source, size, fps, tick=None) -> None:
    with OverlayWriter(path, size, fps, tick) as writer:
        for frame in source:
            writer.write(frame, square(frame.index, size))


@pytest.mark.parametrize("size", [SIZE, (47, 63), (48, 63), (47, 64)])
@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), Fraction(500, 49)])
def test_overlay_has_the_frames_rate_and_size_it_was_given(tmp_path, size, fps):
    path = tmp_path / "overlay.mp4"
    write_overlay(path, frames(12, size), size, fps)
    assert [p.name for p in tmp_path.iterdir()] == ["overlay.mp4"]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.frames == 12 and stream.average_rate == fps
        assert stream.pix_fmt == ("yuv420p" if size == SIZE else "yuv444p")
    read = list(open_source(path))
    assert [f.time for f in read] == [i / Fraction(fps) for i in range(12)]
    for index, frame in enumerate(read):
        drawn = draw_overlay(picture(index, size), square(index, size))
        assert frame.image.shape == drawn.shape
        assert np.abs(frame.image.astype(int) - drawn).mean() < 6


def make_source(path: Path, codec: str, pixels: str, fps, times=None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = SIZE
        stream.pix_fmt = pixels
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(12):
            frame = av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format=pixels)
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec", "pixels"), [
    ("a.mp4", "libx264", "yuv420p"), ("a.mov", "libx264", "yuv420p"), ("a.mkv", "libx264", "yuv420p"),
    ("a.webm", "libvpx-vp9", "yuv420p"), ("a.avi", "mpeg4", "yuv420p"), ("a.gif", "gif", "rgb8"),
])  # fmt: skip
@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001)])
def test_overlay_of_each_container_has_its_rate_and_count(tmp_path, name, codec, pixels, fps):
    source = open_source(make_source(tmp_path / name, codec, pixels, fps))
    assert source.fps is not None
    write_overlay(tmp_path / "overlay.mp4", source, source.size, source.fps, source.time_base)
    overlay = open_source(tmp_path / "overlay.mp4")
    assert (overlay.count, overlay.size) == (12, source.size)
    if name != "a.gif" or fps == 25:  # hundredths of a second are too coarse for FFmpeg to tell 29.97 by
        assert overlay.fps == source.fps == fps
    for before, after in zip(source, overlay, strict=True):
        assert before.time is not None and after.time is not None and source.time_base is not None
        assert abs(before.time - after.time) <= source.time_base


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
def test_overlay_of_a_variable_rate_keeps_the_times(tmp_path, name, codec):
    times = [0, 40, 100, 300, 340, 380, 800, 840, 1000, 1100, 1101, 1500]
    source = open_source(make_source(tmp_path / name, codec, "yuv420p", 25, times))
    assert source.fps is not None
    write_overlay(tmp_path / "overlay.mp4", source, source.size, source.fps, source.time_base)
    for frame, time in zip(open_source(tmp_path / "overlay.mp4"), times, strict=True):
        assert frame.time is not None and abs(frame.time - Fraction(time, 1000)) <= Fraction(1, 1000)


@given(st.fractions(Fraction(1, 10), 240, max_denominator=1001))
def test_a_frame_takes_whole_units_of_time(fps):
    base = time_base(fps)
    assert (1 / fps / base).denominator == 1 and base <= Fraction(1, 90_000)


def test_frames_written_before_an_error_stay(tmp_path):
    path = tmp_path / "overlay.mp4"
    with pytest.raises(RuntimeError, match="network"), OverlayWriter(path, SIZE) as writer:
        for frame in frames(5):
            writer.write(frame, square(frame.index))
            assert not path.exists()
        raise RuntimeError("network")
    assert len(list(open_source(path))) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["overlay.mp4"]


def test_without_a_frame_there_is_no_file(tmp_path):
    OverlayWriter(tmp_path / "overlay.mp4", SIZE).close()
    assert list(tmp_path.iterdir()) == []


def test_unknown_encoder_bad_place_and_bad_frame(tmp_path):
    with pytest.raises(OutputError, match="no encoder libnothing"):
        Movie(tmp_path / "x.mp4", Encoding("mp4", "libnothing", "yuv420p"), SIZE)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file.*choose another"):
        OverlayWriter(tmp_path / "file" / "overlay.mp4", SIZE)
    with pytest.raises(OutputError, match="opacity 2"):
        OverlayWriter(tmp_path / "x.mp4", SIZE, opacity=2)
    with pytest.raises(OutputError, match="unknown kind of alpha output 'mp3'"):
        AlphaWriter(tmp_path, "mp3", SIZE)
    with OverlayWriter(tmp_path / "x.mp4", SIZE) as writer, pytest.raises(OutputError, match="a frame of size"):
        writer.write(frames(1, (10, 10))[0], square(0, (10, 10)))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from camn.media.overlay import OverlayWriter
from camn.media.outputs import MaskWriter
from camn.media.source import Frame
from camn.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing beyond the limit is then an error, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
rng, folder = np.random.default_rng(0), Path(sys.argv[1])
noise = lambda: rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
try:
    with OverlayWriter(folder / "overlay.mp4", (96, 128)) as writer:
        for index in range(100):
            writer.write(Frame(index, "x", noise()), np.zeros((96, 128), np.uint8))
except OutputError as error:
    print(error)
try:
    MaskWriter(folder / "masks").write("000000", rng.integers(0, 256, (400, 400), dtype=np.uint8))
except OutputError as error:
    print(error)
"""


def test_full_disk_leaves_nothing_half_written(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], check=True, capture_output=True, text=True)
    overlay, mask = done.stdout.splitlines()
    assert "overlay.mp4: no room left" in overlay and "free some space" in overlay
    assert "000000.png: " in mask
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert left == [] or [p.name for p in left] == ["overlay.mp4"] and list(open_source(left[0]))


def probabilities(index: int) -> dict[int, np.ndarray]:
    """Object 1 as a ramp; object 7 from the third frame to the last but one."""
    ramp = np.broadcast_to(np.linspace(0, 1, SIZE[1], dtype=np.float32), SIZE)
    return {1: ramp, **({7: (square(index) == 7).astype(np.float32)} if 2 <= index < 5 else {})}


def test_cut_out():
    probability = np.array([[0, 0.5, 1], [-0.1, 1.2, 0.25]])
    rgba = cut_out(picture(0, (2, 3)), probability)
    assert np.array_equal(rgba[..., :3], picture(0, (2, 3)))
    assert rgba[..., 3].tolist() == [[0, 128, 255], [0, 255, 64]]


@given(points=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 59)), max_size=3))
def test_cleared(points):
    image, alpha = picture(0, (40, 60)), np.zeros((40, 60), np.uint8)
    for y, x in points:
        alpha[y, x] = 1
    rgba = cleared(np.dstack([image, alpha]))
    for y, x in np.ndindex(40, 60):
        near = any(max(abs(y - v), abs(x - u)) <= MARGIN for v, u in points)
        assert rgba[y, x].tolist() == [*(image[y, x] if near else (0, 0, 0)), alpha[y, x]]


def test_alpha_png(tmp_path):
    with AlphaWriter(tmp_path, "png", SIZE) as writer:
        for frame in frames(6):
            writer.write(frame, probabilities(frame.index))
    assert sorted(p.name for p in (tmp_path / "1").iterdir()) == [f"{i:06d}.png" for i in range(6)]
    assert sorted(p.name for p in (tmp_path / "7").iterdir()) == [f"{i:06d}.png" for i in range(2, 6)]
    for path in tmp_path.rglob("*.png"):
        index = int(path.stem)
        with Image.open(path) as image:
            expected = cut_out(picture(index), probabilities(index).get(int(path.parent.name)))
            assert np.array_equal(np.asarray(image), expected)


def read_alpha(path: Path, decoder: str) -> tuple[list[np.ndarray], list[Fraction]]:
    """RGBA frames. FFmpeg's own VP9 decoder leaves alpha out; libvpx's has it."""
    context = av.CodecContext.create(decoder, "r")
    assert isinstance(context, av.VideoCodecContext)
    images, times = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.extradata:
            context.extradata = stream.codec_context.extradata
        context.codec_tag = stream.codec_context.codec_tag
        for packet in container.demux(stream):
            if packet.size:
                assert packet.pts is not None and stream.time_base is not None
                times.append(packet.pts * stream.time_base)
            for frame in context.decode(packet if packet.size else None):
                images.append(frame.to_ndarray(format="rgba"))
    return images, times


@pytest.mark.parametrize(("kind", "suffix", "decoder", "size"), [
    ("prores", "mov", "prores", SIZE), ("vp9", "webm", "libvpx-vp9", SIZE),
])  # fmt: skip
def test_alpha_videos(tmp_path, kind, suffix, decoder, size):
    times = [Fraction(t, 1000) for t in (0, 40, 80, 200, 240, 280)]
    with AlphaWriter(tmp_path, kind, size, 25, Fraction(1, 1000)) as writer:
        for frame in frames(6, size, times):
            writer.write(frame, probabilities(frame.index))
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"1.{suffix}", f"7.{suffix}"]
    for number in (1, 7):
        images, read = read_alpha(tmp_path / f"{number}.{suffix}", decoder)
        assert len(images) == 6 and all(abs(a - b) <= Fraction(1, 1000) for a, b in zip(read, times, strict=True))
        for index, image in enumerate(images):
            expected = cleared(cut_out(picture(index, size), probabilities(index).get(number)))
            assert np.abs(image[..., 3].astype(int) - expected[..., 3]).mean() < 3
            if number in probabilities(index):
                assert np.abs(image[..., :3].astype(int) - expected[..., :3]).mean() < 8


@pytest.mark.parametrize("kind", ["prores", "vp9"])
def test_alpha_videos_of_odd_size(tmp_path, kind):
    size = (47, 63)
    with AlphaWriter(tmp_path, kind, size) as writer:
        for frame in frames(3, size):
            writer.write(frame, {3: np.ones(size)})
    (path,) = tmp_path.iterdir()
    assert open_source(path).size == size and len(list(open_source(path))) == 3
