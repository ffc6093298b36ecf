"""Small videos with sound, and with what else a file says of how it is shown."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from videos import SIZE, picture

RATE = 48_000


def tagged(
    path: Path, codec: str = "libx264", pixels: str = "yuv420p", rotation: int = 0, count: int = 12, **tags
) -> Path:
    """tags: of the codec, such as sample_aspect_ratio."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


def with_sound(path: Path, video: str, sound: str, late: int = 0, stereo: bool = False) -> Path:
    """Two seconds; the pictures begin `late` frames behind the sound."""
    with av.open(str(path), "w") as container:
        stream, heard = container.add_stream(video, rate=25), container.add_stream(sound, rate=RATE)
        assert isinstance(stream, av.VideoStream) and isinstance(heard, av.AudioStream)
        stream.height, stream.width, stream.pix_fmt, heard.layout = *SIZE, "yuv420p", "mono"
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(picture(index), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index + late, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        kind = heard.codec_context.format.name
        for at in range(0, 2 * RATE, 1024):
            wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(at, at + 1024) / RATE)[None]
            wave = wave.astype(np.float32) if kind.startswith("flt") else (wave * 32_767).astype(np.int16)
            chunk = av.AudioFrame.from_ndarray(wave, kind, "mono")
            chunk.rate, chunk.pts, chunk.time_base = RATE, at, Fraction(1, RATE)
            container.mux(heard.encode(chunk))
        container.mux(heard.encode(None))
    return path


def heard(path: Path) -> list[tuple[float, bytes]]:
    """Times and bytes of the sound's packets."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [(round(float((p.pts or 0) * p.time_base), 2), bytes(p)) for p in packets]
