"""How a video is shown and what is heard: sides of pixels, colours, turns, sound; and that outputs keep it."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image
from sounds import heard, tagged, with_sound
from videos import SIZE, make_video, picture

from camn import api
from camn.api.segment.spans import SpanSource
from camn.media.alpha import ENCODINGS, AlphaWriter
from camn.media.movie import Movie
from camn.media.opening import open_source
from camn.media.overlay import OverlayWriter


def overlay(path: Path, source) -> list[str]:
    notes = []
    more = {"aspect": source.aspect, "sound": source.sound, "notice": notes.append}
    with OverlayWriter(path, source.size, source.fps, source.time_base, **more) as writer:
        for frame in source:
            writer.write(frame, np.zeros(source.size, np.uint8))
    return notes


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts", "a.avi"])
def test_pixels_that_are_not_square_stay_so(tmp_path, name):
    path = tagged(tmp_path / name, "mpeg4" if name == "a.avi" else "libx264", sample_aspect_ratio=Fraction(64, 45))
    source = open_source(path)
    assert source.aspect == Fraction(64, 45)
    overlay(tmp_path / "overlay.mp4", source)
    assert open_source(tmp_path / "overlay.mp4").aspect == source.aspect
    if name == "a.mp4":
        for kind, file in (("prores", "1.mov"), ("vp9", "1.webm")):
            with AlphaWriter(tmp_path, kind, source.size, aspect=source.aspect) as writer:
                for frame in source:
                    writer.write(frame, {1: np.ones(source.size, np.float32)})
            movie = open_source(tmp_path / file)
            wide = (SIZE[0], round(SIZE[1] * 64 / 45))  # which no WebM can be told through PyAV
            assert (movie.size, movie.aspect) == ((wide, 1) if kind == "vp9" else (SIZE, source.aspect))


def test_a_turned_picture_turns_its_pixels(tmp_path):
    source = open_source(tagged(tmp_path / "a.mp4", rotation=90, sample_aspect_ratio=Fraction(64, 45)))
    assert source.size == SIZE[::-1] and source.aspect == Fraction(45, 64)
    assert open_source(make_video(tmp_path / "b.mp4", count=2)).aspect == 1


@pytest.mark.parametrize("turn", [1, 2, 3, 4, 5, 6, 7, 8])
def test_photos_with_exif_as_a_video(tmp_path, turn):
    """PyAV's side data fails as a whole on EXIF, which it does not know; the turn is told beside it."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    Image.fromarray(picture(0)).save(buffer, "JPEG", exif=exif, quality=95)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuvj420p"
        for index in range(3):
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            container.mux(packet)
    frames = list(open_source(tmp_path / "a.mkv"))
    ways = {2: np.s_[:, ::-1], 3: np.s_[::-1, ::-1], 4: np.s_[::-1]}
    upright = picture(0).swapaxes(0, 1) if turn > 4 else picture(0)
    upright = upright[
        {5: np.s_[:], 6: np.s_[:, ::-1], 7: np.s_[::-1, ::-1], 8: np.s_[::-1]}.get(turn, ways.get(turn, np.s_[:]))
    ]
    assert len(frames) == 3 and np.abs(frames[2].image.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("matrix", [1, 5, 9])  # BT.709, BT.601, BT.2020
@pytest.mark.parametrize("levels", [1, 2])  # limited, full
def test_colours_are_read_by_the_files_own_flags(tmp_path, matrix, levels):
    colour = np.full((*SIZE, 3), (200, 60, 30), np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, levels
        frame = av.VideoFrame.from_ndarray(colour, "rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv444p", dst_colorspace=matrix, dst_color_range=levels)))
        container.mux(stream.encode(None))
    (frame,) = open_source(tmp_path / "a.mkv")
    assert np.abs(frame.image.astype(int) - colour).max() <= 3


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_told(tmp_path, curve, name):
    path = tagged(tmp_path / "a.mkv", pixels="yuv420p10le", color_trc=curve, color_primaries=9, colorspace=9)
    source = open_source(path)
    list(source)
    (text,) = source.warnings
    assert f"is HDR, {name}" in text and "convert it to SDR" in text
    plain = open_source(tagged(tmp_path / "b.mkv", pixels="yuv420p10le", color_trc=1, color_primaries=9, colorspace=9))
    assert len(list(plain)) == 12 and plain.warnings == []


SMALL = (24, 32)


@pytest.mark.parametrize(("name", "sizes", "default", "read"), [
    ("a.mkv", (SIZE, SIZE), (), 1), ("a.mkv", (SMALL, SIZE), (), 2), ("a.mkv", (SMALL, SIZE), (0,), 1),
    ("a.mkv", (SMALL, SIZE), (1,), 2), ("a.mkv", (SMALL, SIZE), (0, 1), 2),
    ("a.nut", (SMALL, SIZE), (), 2), ("a.nut", (SIZE, SIZE), (), 1), ("a.nut", (SIZE, SMALL), (1,), 2),
])  # fmt: skip
def test_of_several_videos_the_default_or_the_largest_is_read(tmp_path, name, sizes, default, read):
    with av.open(str(tmp_path / name), "w") as container:
        streams = [container.add_stream("mjpeg", rate=25) for _ in sizes]
        for number, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = *size, "yuvj420p"
            stream.disposition = Disposition.default if number in default else Disposition(0)
        for index in range(3):
            for stream, size, shown in zip(streams, sizes, (index, index + 20), strict=True):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(shown, size), "rgb24")))
    source = open_source(tmp_path / name)
    (first, *_) = list(source)
    assert "holds 2 videos" in source.warnings[0] and f"number {read} of them is read" in source.warnings[0]
    size = sizes[read - 1]
    assert source.size == size and np.abs(first.image.astype(int) - picture([0, 20][read - 1], size)).mean() < 10


@pytest.mark.parametrize(("name", "video", "sound"), [
    ("a.mp4", "libx264", "aac"), ("a.mkv", "libx264", "flac"), ("a.ts", "libx264", "aac"),
    ("a.webm", "libvpx", "libopus"), ("a.avi", "mpeg4", "pcm_s16le"), ("a.flv", "flv", "aac"),
])  # fmt: skip
def test_sound_goes_along_into_the_overlay(tmp_path, name, video, sound):
    source = open_source(with_sound(tmp_path / name, video, sound))
    assert overlay(tmp_path / "overlay.mp4", source) == []
    before, after = heard(tmp_path / name), heard(tmp_path / "overlay.mp4")
    start = before[0][0] if name == "a.ts" else 0  # which never starts at 0
    assert len(before) == len(after) > 15
    assert all(abs(a[0] - start - b[0]) <= 0.02 for a, b in zip(before, after, strict=True))
    if name != "a.ts":  # whose headers, packet by packet, mp4 tells once
        assert [data for _, data in before] == [data for _, data in after]
    for before, after in zip(source, open_source(tmp_path / "overlay.mp4"), strict=True):
        assert abs((before.time or 0) - (after.time or 0)) < 0.001


def test_sound_of_a_span_begins_and_ends_with_its_frames(tmp_path):
    source = open_source(with_sound(tmp_path / "a.mp4", "libx264", "aac"))
    for start, stop in ((0, 25), (20, 30), (40, None)):
        part = SpanSource(source, api.Span(start, stop))
        assert overlay(tmp_path / "overlay.mp4", part) == []
        with av.open(str(tmp_path / "overlay.mp4")) as container:
            (shown, sound) = container.streams.video[0], container.streams.audio[0]
            for stream, leave in ((shown, 0.001), (sound, 0.045)):
                begins = float((stream.start_time or 0) * stream.time_base)
                ends = begins + float((stream.duration or 0) * stream.time_base)
                assert abs(begins - start / 25) <= leave and abs(ends - min(stop or 50, 50) / 25) <= leave


def test_sound_that_does_not_fit_is_left_out_in_words(tmp_path):
    source = open_source(with_sound(tmp_path / "a.mp4", "libx264", "aac"))
    notes = []
    with Movie(tmp_path / "cut.webm", ENCODINGS["vp9"], source.size, sound=source.sound, notice=notes.append) as movie:
        movie.write(np.zeros((*SIZE, 4), np.uint8))
    assert notes == ["cut.webm: without the video's sound (aac cannot be copied into webm)"]
    assert heard(tmp_path / "cut.webm") == [] and sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "cut.webm"]
    (tmp_path / "a.mp4").unlink()  # while the work goes on
    assert overlay(tmp_path / "o.mp4", open_source(make_video(tmp_path / "b.mp4", count=3))) == []
    with OverlayWriter(tmp_path / "gone.mp4", source.size, sound=source.sound, notice=notes.append) as writer:
        for frame in open_source(tmp_path / "b.mp4"):
            writer.write(frame, np.zeros(SIZE, np.uint8))
    assert len(notes) == 2 and len(list(open_source(tmp_path / "gone.mp4"))) == 3


@pytest.mark.parametrize(("kind", "sound"), [("overlay", True), ("prores", True), ("vp9", False)])
def test_exports_of_masks_have_look_and_sound(tmp_path, kind, sound):
    source = api.open_source(with_sound(tmp_path / "a.mp4", "libx264", "aac"))
    path, notes = tmp_path / {"overlay": "o.mp4", "prores": "c.mov", "vp9": "c.webm"}[kind], []
    api.export_masks(kind, lambda index: None, path, size=SIZE, source=source, notice=notes.append)
    assert len(heard(path)) == sound * len(heard(source.path)) and len(notes) == (not sound)
    path.unlink()
    source = api.open_source(tagged(tmp_path / "b.mp4", sample_aspect_ratio=Fraction(4, 3)))
    api.export_masks(kind, lambda index: None, path, size=SIZE, source=source)
    movie = open_source(path)
    assert abs(movie.size[1] * movie.aspect - SIZE[1] * Fraction(4, 3)) < 1 and movie.size[0] == SIZE[0]
