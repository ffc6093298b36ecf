"""A file of the web as a frame source: fetched whole, then read as any file is."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from camn.errors import VideoError
from camn.files import writing
from camn.media.addresses import Address
from camn.media.network import Reply, why
from camn.media.source import Frame, FrameSource, PartSource

_PIECE = 1 << 20  # bytes
_SAFE = re.compile(r"[^\w.-]+")


class FetchedSource(PartSource):
    """The frames of a fetched file, which goes when this does; messages have the address, not the file's name."""

    def __init__(self, address: Address, reply: Reply, open_file: Callable[[Path], FrameSource]):
        """Raises VideoError, NoRoomError."""
        self._room = tempfile.TemporaryDirectory(prefix="camn-", ignore_cleanup_errors=True)
        self._file = Path(self._room.name) / (_SAFE.sub("_", unquote(reply.name))[-100:].lstrip(".") or "video")
        self._shown = address.shown
        try:
            _fetch(address, reply, self._file)
            super().__init__(open_file(self._file))
        except VideoError as error:
            raise self._told(error) from None
        self.path, self.warnings = None, []
        self.notes = tuple(map(self._plain, self.whole.notes))

    @property
    def place(self) -> str:
        return self._shown

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self.whole
        except VideoError as error:
            raise self._told(error) from None
        finally:
            self.warnings[:] = map(self._plain, self.whole.warnings)

    def _told(self, error: VideoError) -> VideoError:
        return VideoError(self._plain(str(error)))

    def _plain(self, text: str) -> str:
        return text.replace(str(self._file), self._shown)


def _fetch(address: Address, reply: Reply, file: Path) -> None:
    done = 0
    with writing(file), file.open("wb") as target:
        while piece := _piece(address, reply):
            target.write(piece)
            done += len(piece)
    if reply.length is not None and done < reply.length:
        raise VideoError(f"{address.shown}: broke off after {done} of {reply.length} bytes; try again")


def _piece(address: Address, reply: Reply) -> bytes:
    try:
        return reply.read(_PIECE)
    except OSError as error:
        raise VideoError(f"{address.shown}: broke off: {why(error, address)}") from None
