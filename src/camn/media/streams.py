"""Opening what is no file: addresses of the network, cameras, the standard input."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from camn.errors import VideoError
from camn.media import network
from camn.media.addresses import Address, Take
from camn.media.camera import open_camera
from camn.media.container import need_library, open_input, reason
from camn.media.cuts import Passing, cut_off
from camn.media.network import Reply, ask, reach, tls_options, why
from camn.media.reader import Inlet
from camn.media.strangers import list_of_others, other_kind, plain_head
from camn.media.stream import MOST, StreamSource

Notice = Callable[[str], object]
_LIMITS = {"max_pixels": str(MOST)}  # also of what is looked at before the first picture
_PROBED = {**_LIMITS, "analyzeduration": "1000000"}  # microseconds of that: who goes on will not wait
_PIPE = (
    "what comes through a pipe must be readable from its start on, as Matroska and MPEG-TS are: "
    "ffmpeg -i ... -f matroska - | camn segment - ..."
)


def open_reply(address: Address, reply: Reply, take: Take, max_pixels: int | None, notice: Notice) -> StreamSource:
    """A web server's answer of no known length. Raises VideoError."""
    return StreamSource(_of_reply(address, reply, take), take != "all", max_pixels, notice)


def _of_reply(address: Address, reply: Reply, take: Take) -> Inlet:
    file = _Bytes(reply.read)
    try:
        container = _open_head(address, file.head, file, _PROBED)
    except BaseException:
        reply.close()
        raise
    live = take != "all" and (reply.goes_on or container.format.name == "mpegts")

    def again() -> Inlet:
        return _of_reply(address, ask(address), take)

    how = {"close": reply.close, "broke": lambda: file.broke, "cut": file.cut}
    return Inlet(address.shown, container, **how, again=again if live else None, endless=reply.goes_on)


def open_rtsp(address: Address, take: Take, max_pixels: int | None, notice: Notice) -> StreamSource:
    """By TCP, which every network lets through, and loses nothing. Raises VideoError."""
    need_library(address.shown)
    return StreamSource(_of_rtsp(address, take), take != "all", max_pixels, notice)


def _of_rtsp(address: Address, take: Take) -> Inlet:
    reach(address)
    options = {"rtsp_transport": "tcp", "timeout": str(round(network.WAIT * 1e6)), **_PROBED, **tls_options(address)}
    begun = time.monotonic()
    try:
        container = open_input(address.whole, "rtsp,rtsps,rtp,tcp,tls", "rtsp", options, timeout=network.WAIT)
    except Exception as error:  # not `from`: it knows the whole address
        late = time.monotonic() - begun >= network.WAIT  # FFmpeg calls that invalid data
        raise VideoError(f"{address.shown}: {_refusal(TimeoutError() if late else error, address)}") from None
    again = partial(_of_rtsp, address, take) if take != "all" else None
    return Inlet(address.shown, container, again=again, endless=container.duration is None)


def open_camera_stream(address: Address, take: Take, max_pixels: int | None, notice: Notice) -> StreamSource:
    """Raises VideoError."""
    need_library(address.shown)
    return StreamSource(_of_camera(address, take), take != "all", max_pixels, notice)


def _of_camera(address: Address, take: Take) -> Inlet:
    again = partial(_of_camera, address, take) if take != "all" else None
    return Inlet(address.shown, open_camera(address), again=again, endless=True)


def open_stdin(address: Address, take: Take, max_pixels: int | None) -> StreamSource:
    """Raises VideoError."""
    need_library(address.shown)
    try:
        number = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # none, as in a notebook, or closed
        number = -1
    if number < 0 or os.isatty(number):
        raise VideoError(f"-: nothing is piped into the standard input; {_PIPE}")
    if stat.S_ISREG(os.fstat(number).st_mode):  # can be read to and fro
        file: Any = open(number, "rb", closefd=False)  # noqa: SIM115, it is read until the process ends
        container = _open_head(address, file.peek(), file)
        inlet = Inlet(address.shown, container, cut=lambda used: cut_off(file, stated=False))
        return StreamSource(inlet, take == "newest", max_pixels)
    # Not by sys.stdin, whose lock a thread that waits for more would hold when the process ends.
    file = _Bytes(partial(os.read, number))
    container = _open_head(address, file.head, file)
    inlet = Inlet(address.shown, container, _PIPE, broke=lambda: file.broke, cut=file.cut)
    return StreamSource(inlet, take == "newest", max_pixels)


class _Bytes:
    """What PyAV reads: the first bytes, which are looked at before, and the rest. broke: why they ended, if they broke
    off; PyAV is told of an end then, so that what came is not lost. cut: see `Passing.cut`."""

    def __init__(self, read: Callable[[int], bytes]):
        self._read, self.broke = read, None
        self.head = self._left = self._more(4096)
        passing = Passing(self.head)
        passing.take(self.head)
        self._passing, self.cut = passing, passing.cut

    def read(self, size: int) -> bytes:
        part, self._left = self._left[:size], self._left[size:]
        if not part:
            part = self._more(size)
            self._passing.take(part)
        return part

    def _more(self, size: int) -> bytes:
        try:
            return self._read(size)
        except OSError as error:
            self.broke = reason(error)
            return b""


def _open_head(address: Address, head: bytes, file: Any, options: Mapping[str, str] = _LIMITS) -> Any:
    """A container of what begins with `head`. Raises VideoError."""
    begin = plain_head(head)
    if not head:
        broke = getattr(file, "broke", None)
        raise VideoError(f"{address.shown}: nothing came{f' ({broke})' if broke else ''}; {_remedy(address)}")
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
        return network.answer(code, address)
    if isinstance(error, TimeoutError):
        return why(TimeoutError(), address)
    return f"no stream can be read there ({reason(error)}); check the address"
