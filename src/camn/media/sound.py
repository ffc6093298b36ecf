"""A video's sound, copied into movies as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from camn.media.container import opened

if TYPE_CHECKING:
    import av
    import av.container


@dataclass(frozen=True)
class Sound:
    """Where it is, and its codec. start: seconds on the file's own clock from which frames' times count. part: whether
    the frames begin in the middle of it."""

    path: Path
    codec: str
    start: Fraction = Fraction(0)
    part: bool = False


class Track:
    """The sound in one movie: its packets, not decoded, given out as far as the pictures have come.

    into: the movie, to which a stream is added. Raises VideoError, and ValueError where its format cannot hold it.
    """

    def __init__(self, sound: Sound, into: av.container.OutputContainer):
        self.sound, self._held = sound, None
        with ExitStack() as stack:
            container, _ = stack.enter_context(opened(sound.path))
            source = container.streams.best("audio")
            if source is None:
                raise ValueError("no sound any more")
            self._unit = Fraction(source.time_base or 1)
            self._shift = round(sound.start / self._unit)
            self._packets = stack.enter_context(closing(container.demux(source)))  # type: ignore[type-var], a generator
            self._stack = stack.pop_all()
        try:
            self._stream = into.add_stream_from_template(source)
        except BaseException:
            self.close()
            raise

    def begin(self, time: Fraction) -> None:
        """What is heard before that time is left out, and all else comes so much earlier."""
        self.sound = replace(self.sound, part=True)
        self._shift += round(time / self._unit)

    def between(self, first: Fraction, until: Fraction) -> Iterator[av.Packet]:
        """What begins before `until` and was not given yet. first: the time of the first picture."""
        while (packet := self._held or next(self._packets, None)) is not None:
            self._held = None
            if packet.dts is None or not packet.size:
                continue
            begins = (packet.dts - self._shift) * self._unit
            if begins >= until:
                self._held = packet
                return
            if self.sound.part and begins < first:
                continue
            packet.pts = None if packet.pts is None else packet.pts - self._shift
            packet.dts -= self._shift
            packet.stream = self._stream
            yield packet

    def close(self) -> None:
        self._stack.close()


def sound_of(path: Path, container: av.container.InputContainer, start: Fraction) -> Sound | None:
    """Of an opened video; None where it has none."""
    stream = container.streams.best("audio")
    if stream is None:
        return None
    return Sound(path, stream.codec_context.name if stream.codec_context else "its kind", start)
