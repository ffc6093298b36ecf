"""Small videos, written through PyAV, and damage to them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COUNT, SIZE = 30, (48, 64)


def picture(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Grey that tells the index, a red corner at the top left and a green one at the top right: upright or not?"""
    h, w = size
    image = np.full((h, w, 3), 40 + 5 * (index % 40), np.uint8)
    image[: h // 3, : w // 3] = (220, 30, 30)
    image[: h // 3, -(w // 3) :] = (30, 200, 30)
    return image


def make_video(
    path: Path,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    count: int = COUNT,
    size: tuple[int, int] = SIZE,
    fps: Fraction | int = 25,
    times: list[int] | None = None,
    rotation: int | None = None,
    rotate_tag: str | None = None,
    options: dict[str, str] | None = None,
    movflags: str | None = None,
) -> Path:
    """times: presentation times in ms. rotation: display matrix, degrees counter-clockwise."""
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if rotate_tag is not None:
            stream.metadata["rotate"] = rotate_tag
        if times:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index, size), "rgb24").reformat(format=pixels)
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def noisy_video(path: Path, codec: str = "libx264", pixels: str = "yuv420p", **options) -> Path:
    """With enough bytes per frame that a cut falls into frames, not into the index."""
    rng = np.random.default_rng(0)
    flags = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = SIZE
        stream.pix_fmt = pixels
        for index in range(COUNT):
            image = picture(index)
            image[16:, :] = rng.integers(0, 256, (SIZE[0] - 16, SIZE[1], 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


def hurt(path: Path, numbers: Iterable[int], *, keep: int = 0, seed: int = 1) -> Path:
    """Noise in place of these packets' bytes, but for the first `keep`."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for number in numbers:
        position, size = packets[number]
        assert position is not None
        content[position + keep : position + size] = rng.bytes(size - keep)
    path.write_bytes(content)
    return path


def wide_video_with_sound(path: Path, size: tuple[int, int], frames: int = 6) -> Path:
    """Matroska at 25 frames a second, pixels of 64:45, and silence of 8,000 samples a second."""
    with av.open(str(path), "w", format="matroska") as container:
        stream, sound = container.add_stream("mpeg4", rate=25), container.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.VideoStream) and isinstance(sound, av.AudioStream)
        stream.height, stream.width, stream.pix_fmt, sound.layout = *size, "yuv420p", "mono"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for index in range(frames):
            image = np.full((*size, 3), 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), "s16", "mono")
            chunk.rate, chunk.pts = 8000, 320 * index
            container.mux(sound.encode(chunk))
        container.mux(stream.encode(None))
    return path
