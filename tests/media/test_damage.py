"""Damaged videos: what lies behind the damage is read, under its own number."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from videos import COUNT, hurt, make_video, noisy_video

from camn.errors import VideoError
from camn.media.damage import runs
from camn.media.opening import open_source
from camn.media.source import Frame, FrameSource

QUIET = {"log-level": "none"}
WITHIN = [  # packets whose place and size the file's index tells, or that are found again by their own marks
    ("a.mp4", "libx264", "yuv420p"), ("a.mp4", "libx265", "yuv420p"), ("a.mov", "prores_ks", "yuv422p10le"),
    ("a.avi", "mpeg4", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p"), ("a.avi", "libx264", "yuv420p"),
]  # fmt: skip


def read(path) -> tuple[FrameSource, list[Frame]]:
    source = open_source(path)
    return source, list(source)


def video(path, codec, pixels):
    return noisy_video(path, codec, pixels, **(QUIET if codec == "libx265" else {}))


def warning(source: FrameSource) -> str:
    (text,) = source.warnings
    return text


@pytest.mark.parametrize("numbers", [[COUNT - 1], [1, 4, 5, 6, 18, 28]])
@pytest.mark.parametrize(("name", "codec", "pixels"), WITHIN)
def test_frames_behind_damage_keep_their_numbers_and_times(tmp_path, name, codec, pixels, numbers):
    path = video(tmp_path / name, codec, pixels)
    _, before = read(path)
    source, frames = read(hurt(path, numbers))
    assert len(frames) == COUNT == source.count
    assert [f.time for f in frames] == [f.time for f in before] and [f.index for f in frames] == list(range(COUNT))
    other = [f.index for f, b in zip(frames, before, strict=True) if not np.array_equal(f.image, b.image)]
    assert other and "0 is the first frame" in warning(source) and str(path) in warning(source)
    if codec in ("prores_ks", "mjpeg"):  # each picture by itself: those of the damaged packets alone, and as before
        assert other == numbers and runs(numbers) in warning(source)
        for number in numbers:
            assert np.array_equal(frames[number].image, frames[number - 1].image) == ("cannot" in warning(source))
    if codec != "libx265":
        assert other[0] >= numbers[0] - 1  # B-frames come in another order
    else:
        assert other[0] >= numbers[0] - 4


@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("a.mjpeg", "mjpeg", "yuvj420p"), ("a.h264", "libx264", "yuv420p")]
)
def test_streams_without_a_container(tmp_path, name, codec, pixels):
    """Their packets may have no times: what is lost stands where it was sent."""
    path = noisy_video(tmp_path / name, codec, pixels, **({"bf": "0"} if codec == "libx264" else {}))
    _, before = read(path)
    source, frames = read(hurt(path, [9, 20], keep=12))
    assert len(frames) == len(before) == COUNT and "0 is the first frame" in warning(source)
    assert [f.time for f in frames] == [f.time for f in before]


def test_a_damaged_first_frame_shows_the_second(tmp_path):
    for name, codec, pixels in (("a.mov", "prores_ks", "yuv422p10le"), ("a.avi", "mjpeg", "yuvj420p")):
        _, before = read(video(tmp_path / name, codec, pixels))
        source, frames = read(hurt(tmp_path / name, [0]))
        assert len(frames) == COUNT and np.array_equal(frames[0].image, before[1].image)
        assert all(np.array_equal(f.image, b.image) for f, b in zip(frames[1:], before[1:], strict=True))
        assert "frame 0 cannot be decoded" in warning(source)


def test_what_a_decoder_conceals_is_told(tmp_path):
    source, frames = read(hurt(video(tmp_path / "a.avi", "mpeg4", "yuv420p"), [7], keep=200))
    assert len(frames) == COUNT and "frame 7 came out damaged, and may be smeared" in warning(source)


@pytest.mark.parametrize(("name", "codec", "pixels"), [("a.mkv", "mjpeg", "yuvj420p"), ("a.mkv", "ffv1", "yuv420p")])
@pytest.mark.parametrize("numbers", [[7], [3, 15]])
def test_frames_that_the_reader_leaps_over_keep_their_place(tmp_path, name, codec, pixels, numbers):
    """The bytes that describe a packet are damaged as well: none comes until the file's next mark."""
    path = noisy_video(tmp_path / name, codec, pixels)
    _, before = read(path)
    source, frames = read(hurt(path, numbers))
    assert [f.time for f in frames] == [f.time for f in before]
    for number in numbers:
        assert np.array_equal(frames[number].image, frames[number - 1].image)
    assert np.array_equal(frames[-1].image, before[-1].image)
    assert f"frames {numbers[0]}" in warning(source) or f"frame {numbers[0]} " in warning(source)


def test_a_transport_stream(tmp_path):
    """Of two pictures the marks are gone that part them from those before: as for other readers, they are none."""
    path = noisy_video(tmp_path / "a.ts")
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in (8, 20):
        content[positions[number] + 40 : positions[number] + 180] = np.random.default_rng(0).bytes(140)
    path.write_bytes(content)
    source, frames = read(path)
    assert len(frames) == COUNT - 2 and (COUNT - 1) * Fraction(1, 25) == frames[-1].time
    assert "before frames 8, 20 others are missing" in warning(source)


def test_noise_is_refused_and_much_noise_is_told_once(tmp_path):
    path = video(tmp_path / "a.mov", "prores_ks", "yuv422p10le")
    whole = path.read_bytes()
    source, frames = read(hurt(path, range(2, COUNT - 1, 2)))
    assert len(frames) == COUNT and "and others, 14 in all," in warning(source) and len(warning(source)) < 500
    path.write_bytes(whole)
    with pytest.raises(VideoError, match="no frame could be decoded"):
        open_source(hurt(path, range(COUNT)))


def test_a_long_end_that_cannot_be_decoded_is_not_made_up(tmp_path):
    path = make_video(tmp_path / "a.mov", "prores_ks", "yuv422p10le", count=60)
    source, frames = read(hurt(path, range(20, 60)))
    assert len(frames) == 20 and "ends early: 20 of 60 frames could be read (the 40 behind cannot" in warning(source)


def test_a_truncated_file_is_not_made_up(tmp_path):
    path = video(tmp_path / "a.mp4", "libx264", "yuv420p")
    hurt(path, [4])
    path.write_bytes(path.read_bytes()[:-6000])
    source, frames = read(path)
    assert len(frames) < COUNT
    damaged, early = source.warnings
    assert "cannot be decoded" in damaged and f"ends early: {len(frames)} of {COUNT}" in early


def test_warnings_of_a_file_that_was_mended(tmp_path):
    path = video(tmp_path / "a.mov", "prores_ks", "yuv422p10le")
    whole = path.read_bytes()
    source = open_source(hurt(path, [9]))
    list(source)
    list(source)
    assert "frame 9 " in warning(source)
    path.write_bytes(whole)
    list(source)
    assert source.warnings == []


def test_frames_are_named_by_their_runs():
    assert runs([4]) == "frame 4" and runs([4, 7, 8, 9, 11]) == "frames 4, 7-9, 11"
    assert runs(range(0, 40, 2)) == "frames 0, 2, 4, 6, 8, 10, 12, 14 and others, 20 in all,"


def test_a_library_that_logs_does_not_wait_for_ever(tmp_path):
    """PyAV's threads need the interpreter to log; closed while they work, it waited for them with its lock held."""
    path = hurt(noisy_video(tmp_path / "a.mp4"), [15])
    code = (
        "import av, sys\nfrom camn.media.opening import open_source\nav.logging.set_level(av.logging.ERROR)\n"
        "for _ in range(5): print(len(list(open_source(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [str(COUNT)] * 5
