"""The signs, in a video's bytes, that it was cut off: for formats that may not state how long they are."""

from __future__ import annotations

from typing import BinaryIO

_LOOK = 4096  # bytes
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_ABOUT = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_TS = ((188, 0), (192, 4), (204, 0))  # bytes of MPEG-TS's packets, as they may be, and where in them a sync stands
_SYNC = ord("G")
_EBML = bytes.fromhex("1a45dfa3")
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675  # elements of Matroska that hold others, and need not say how long they are
_Y4M = b"YUV4MPEG2 "
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_TAIL = 64  # bytes in which a JPEG's end is looked for: some senders fill up behind it
_PACKET, _PIECE, _FRAME = "it ends within a packet", "its last piece is cut off", "the last frame's data is cut off"


def cut_off(file: BinaryIO, stated: bool) -> str | None:
    """The sign in a file: a GIF without its end mark, half a transport stream's packet, an ASF that is shorter than its
    head says, half an element of Matroska; of that only where the file does not state its length, as it takes long."""
    file.seek(0)
    head = file.read(_LOOK)
    size = file.seek(0, 2)
    if head[:6] in (b"GIF87a", b"GIF89a"):
        file.seek(-1, 2)
        return None if file.read(1) == b";" else "the GIF has no end mark"
    if head.startswith(_EBML):
        return _PIECE if not stated and _within_element(file, size) else None
    if (packet := _packet(head)) is not None:
        return _PACKET if size % packet else None
    at = head.find(_ASF_ABOUT) if head.startswith(_ASF) else -1
    if at > 0 and int.from_bytes(head[at + 40 : at + 48], "little") > size:  # behind two ids and a size
        return "it is shorter than it says"
    return None


def _within_element(file: BinaryIO, size: int) -> bool:
    elements = Elements()
    file.seek(0)
    while elements.known and (data := file.read(_LOOK)):
        elements.take(data)
        step = min(elements.skip, size - file.tell())
        file.seek(step, 1)
        elements.skip -= step
    return elements.cut


class Passing:
    """The bytes of a pipe, followed as they come. head: the first ones."""

    def __init__(self, head: bytes):
        self._size, self._tail = 0, b""
        self._y4m, self._jpeg = head.startswith(_Y4M), head.startswith(_JPEG)
        self._elements = Elements() if head.startswith(_EBML) else None
        self._packet = _packet(head)

    def take(self, data: bytes) -> None:
        self._size += len(data)
        self._tail = (self._tail + data)[-_TAIL:]
        if self._elements:
            self._elements.take(data)

    def cut(self, used: int) -> str | None:
        """The sign that more should have come. used: bytes up to the end of the last frame that was found in them."""
        if self._elements and self._elements.cut:
            return _PIECE
        if self._packet and self._size % self._packet:
            return _PACKET
        within = (self._y4m and self._size > used) or (self._jpeg and _JPEG_END not in self._tail)
        return _FRAME if within else None


def _packet(head: bytes) -> int | None:
    """How long a transport stream's packets are, of which one begins with the first byte."""
    for size, at in _TS:
        syncs = head[at::size]
        if len(syncs) > 1 and set(syncs) == {_SYNC}:
            return size
    return None


class Elements:
    """Matroska's elements (RFC 8794), followed through their bytes. skip: bytes to come in which none begins. known:
    whether they can still be followed; damage ends that."""

    def __init__(self):
        self.skip, self.known, self._begun = 0, True, b""

    @property
    def cut(self) -> bool:
        """Whether the last one is not whole."""
        return self.known and bool(self.skip or self._begun)

    def take(self, data: bytes) -> None:
        data, at = self._begun + data, 0
        while at < len(data) and self.known:
            if self.skip:
                step = min(self.skip, len(data) - at)
                self.skip, at = self.skip - step, at + step
                continue
            length = self._head(data[at : at + 12])
            if not length:
                break
            at += length
        self._begun = data[at:]

    def _head(self, data: bytes) -> int:
        """Takes what begins an element: its id, and its size where it does not hold others. -> its length; 0 where the
        rest is to come."""
        ids = 9 - data[0].bit_length()
        sizes = 9 - data[ids].bit_length() if len(data) > ids else 0
        if ids > 4 or sizes > 8:
            self.known = False
            return 0
        if not sizes or len(data) < ids + sizes:
            return 0
        said = int.from_bytes(data[ids : ids + sizes], "big") - (1 << 7 * sizes)
        unknown = said == (1 << 7 * sizes) - 1
        id = int.from_bytes(data[:ids], "big")
        self.known = not unknown or id in (_SEGMENT, _CLUSTER)
        self.skip = 0 if unknown or id == _SEGMENT else said
        return ids + sizes
