"""Opening what is no file: addresses of the network, cameras, the standard input."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from camn.errors import VideoError
from camn.media import network
from camn.media.addresses import Address, Take
from camn.media.camera import open_camera
from camn.media.container import need_library, open_input, reason
from camn.media.network import Reply, reach, why
from camn.media.strangers import list_of_others, other_kind, plain_head
from camn.media.stream import StreamSource

_PROBED = {"analyzeduration": "1000000"}  # microseconds looked at before the first picture: who goes on will not wait
_PIPE = (
    "what comes through a pipe must be readable from its start on, as Matroska and MPEG-TS are: "
    "ffmpeg -i ... -f matroska - | camn segment - ..."
)


def open_reply(address: Address, reply: Reply, take: Take, max_pixels: int | None) -> StreamSource:
    """A web server's answer of no known length. Raises VideoError."""
    with _closing_after_errors(reply.close):
        container = _open_bytes(address, reply.read, _PROBED)
        return StreamSource(address.shown, container, take != "all", max_pixels, reply.close)


def open_rtsp(address: Address, take: Take, max_pixels: int | None) -> StreamSource:
    """By TCP, which every network lets through, and loses nothing. Raises VideoError."""
    need_library(address.shown)
    reach(address)
    options = {"rtsp_transport": "tcp", "timeout": str(round(3 * network.WAIT * 1e6)), **_PROBED}
    try:
        container = open_input(address.whole, "rtsp,rtp,tcp", "rtsp", options, timeout=network.WAIT)
    except Exception as error:  # not `from`: it knows the whole address
        raise VideoError(f"{address.shown}: {_refusal(error, address)}") from None
    with _closing_after_errors(container.close):
        return StreamSource(address.shown, container, take != "all", max_pixels)


def open_camera_stream(address: Address, take: Take, max_pixels: int | None) -> StreamSource:
    """Raises VideoError."""
    need_library(address.shown)
    container = open_camera(address)
    with _closing_after_errors(container.close):
        return StreamSource(address.shown, container, take != "all", max_pixels)


def open_stdin(address: Address, take: Take, max_pixels: int | None) -> StreamSource:
    """Raises VideoError."""
    need_library(address.shown)
    pipe: Any = sys.stdin.buffer if sys.stdin else None
    if pipe is None or pipe.closed or pipe.isatty():
        raise VideoError(f"-: nothing is piped into the standard input; {_PIPE}")
    if stat.S_ISREG(os.fstat(pipe.fileno()).st_mode):  # can be read to and fro
        container = _open_head(address, pipe.peek(), pipe)
    else:
        container = _open_bytes(address, pipe.read1)
    return StreamSource(address.shown, container, take == "newest", max_pixels)


class _Bytes:
    """What PyAV reads: the first bytes, which were looked at, and the rest."""

    def __init__(self, head: bytes, rest: Callable[[int], bytes]):
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        part, self._head = self._head[:size], self._head[size:]
        return part or self._rest(size)


def _open_bytes(address: Address, read: Callable[[int], bytes], options: dict[str, str] | None = None) -> Any:
    try:
        head = read(4096)
    except OSError as error:
        raise VideoError(f"{address.shown}: {why(error, address)}") from None
    return _open_head(address, head, _Bytes(head, read), options)


def _open_head(address: Address, head: bytes, file: Any, options: dict[str, str] | None = None) -> Any:
    """A container of what begins with `head`. Raises VideoError."""
    begin = plain_head(head)
    if not head:
        raise VideoError(f"{address.shown}: nothing came; {_remedy(address)}")
    if (what := list_of_others(begin)) is not None:
        raise VideoError(f"{address.shown}: {what}; give the address or the file of a video itself")
    try:
        return open_input(file, "none", None, options)  # what it reads is all there is
    except MemoryError:
        raise
    except Exception as error:
        known = other_kind(begin) or f"not a video, or one that cannot be read from its start on ({reason(error)})"
        raise VideoError(f"{address.shown}: {known}; {_remedy(address)}") from error


def _remedy(address: Address) -> str:
    return _PIPE if address.kind == "stdin" else "check the address, or save the video to a file and give that"


def _refusal(error: Exception, address: Address) -> str:
    """Of an RTSP server."""
    from av.error import HTTPForbiddenError, HTTPNotFoundError, HTTPUnauthorizedError

    codes = {HTTPUnauthorizedError: 401, HTTPForbiddenError: 403, HTTPNotFoundError: 404}
    if (code := next((codes[kind] for kind in codes if isinstance(error, kind)), None)) is not None:
        return network.answer(code, "", address)
    if isinstance(error, TimeoutError):
        return why(TimeoutError(), address)
    return f"no stream can be read there ({reason(error)}); check the address"


@contextmanager
def _closing_after_errors(close: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        close()
        raise
