"""The signs of a cut in bytes: of files, and of what comes through a pipe."""

import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from camn.media.cuts import Elements
from camn.media.opening import open_source


class Pipe(bytearray):
    """A file that is written from its start to its end, as a pipe is: then Matroska states no length."""

    def write(self, data) -> int:
        self.extend(data)
        return len(data)


def sent(name: str, codec: str = "ffv1", pixels: str = "yuv420p", path: Path | None = None) -> bytes:
    """Noise in the format of that name: as a program sends it, or as it lies in a file."""
    pipe = Pipe()
    rng = np.random.default_rng(0)
    flags = {"mp4": {"movflags": "+faststart"}, "matroska": {"cluster_time_limit": "200"}}.get(name, {})
    with av.open(str(path) if path else pipe, "w", format=name, options=flags) as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 32, 48, pixels
        for _ in range(12):
            image = rng.integers(0, 255, (32, 48, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path.read_bytes() if path else bytes(pipe)


def element(name: str, content: bytes | None) -> bytes:
    """None: of unknown size."""
    size = b"\xff" if content is None else (len(content) + (1 << 28)).to_bytes(4, "big")
    return bytes.fromhex(name) + size + (content or b"")


def test_elements_are_whole_where_each_ends():
    pieces = [element("1a45dfa3", b"webm"), element("18538067", None), element("1549a966", bytes(300)),
              element("1f43b675", None), element("e7", b"1"), element("a3", bytes(5000)), element("a3", b"x"),
              element("1f43b675", bytes(70)), element("ec", b"")]  # fmt: skip
    content, ends = b"".join(pieces), {sum(map(len, pieces[:count])) for count in range(len(pieces) + 1)}
    elements = Elements()
    for at in range(len(content)):
        assert elements.known and elements.cut == (at not in ends)
        elements.take(content[at : at + 1])
    assert not elements.cut
    for step in (7, 1000):
        elements = Elements()
        for at in range(0, len(content), step):
            elements.take(content[at : at + step])
            assert elements.cut == (min(at + step, len(content)) not in ends)
    elements.take(bytes(20))  # no element
    assert not elements.known and not elements.cut


@pytest.mark.parametrize(("made", "share", "sign"), [
    (lambda path: sent("matroska"), 0.7, "its last piece is cut off"),
    (lambda path: sent("matroska", path=path / "a.mkv"), "1f43b675", "it states that it is longer"),
    (lambda path: sent("mp4", "libx264", path=path / "a.mp4"), 0.9, "the last frame's data is cut off"),
    (lambda path: sent("mpegts", "mpeg2video"), 0.7, "it ends within a packet"),
    (lambda path: sent("yuv4mpegpipe", "wrapped_avframe"), 0.7, "the last frame's data is cut off"),
    (lambda path: sent("mjpeg", "mjpeg", "yuvj420p"), 0.7, "the last frame's data is cut off"),
], ids=["live Matroska", "Matroska", "mp4", "MPEG-TS", "YUV4MPEG", "MJPEG"])  # fmt: skip
def test_what_is_piped_and_cut_in_the_middle_says_so(tmp_path, monkeypatch, made, share, sign):
    """share: of the bytes that come, or what begins the last of equal pieces, of which none is cut."""
    content = made(tmp_path)
    end = content.rindex(bytes.fromhex(share)) if isinstance(share, str) else int(len(content) * share)
    said = {}
    for part in (content, content[:end]):
        read, write = os.pipe()
        assert os.write(write, part) == len(part), "a pipe holds it"
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            source = open_source("-")
            count = len(list(source))
        said[part is content] = source.warnings, source.record()["stream"]["ended"]
    assert said[True] == ([], "the stream ended")
    assert said[False][1] == sign
    assert f"standard input: broke off after {count} frames ({sign}); only these have results" in said[False][0]


@pytest.mark.parametrize(("name", "codec"), [("matroska", "ffv1"), ("mpegts", "mpeg2video")])
def test_files_that_state_no_length_and_are_cut(tmp_path, monkeypatch, name, codec):
    content, path = sent(name, codec), tmp_path / "a.bin"
    sign = {"matroska": "its last piece is cut off", "mpegts": "it ends within a packet"}[name]
    path.write_bytes(content)
    source = open_source(path)
    assert len(list(source)) == 12 and source.warnings == []
    path.write_bytes(content[: int(len(content) * 0.7)])
    source = open_source(path)
    count = len(list(source))
    assert any(f"the video ends early: {count} frames could be read ({sign})" in text for text in source.warnings)
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        source = open_source("-")
        assert len(list(source)) == count and any(f"({sign})" in text for text in source.warnings)
