"""Bytes of a file of which no packet came: what describes its packets is damaged there, and the reader leapt on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_FORMATS = ("matroska", "flv")  # packets stand one behind the other, each behind a few bytes that describe it
_LEAST = 64


class Skipped:
    """Watches all packets of a file, in its order."""

    def __init__(self, format: str):
        self.watches = any(kind in format for kind in _FORMATS)
        self._end: int | None = None
        self._usual = _LEAST

    def before(self, packet: av.Packet) -> int:
        """How many bytes before this packet are of none, beyond what is usual."""
        if not self.watches or packet.pos is None or not packet.size:
            return 0
        if packet.has_sidedata("matroska_block_additional"):  # such as a picture's alpha, whose size is not told
            self.watches = False
        between = 0 if self._end is None else packet.pos - self._end
        self._end = packet.pos + packet.size
        if between > 4 * self._usual:
            return between
        self._usual = max(self._usual, between)
        return 0
