"""What is no file: the address of a stream, a camera, the standard input."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from camn.errors import VideoError

Take = Literal["auto", "newest", "all"]
Kind = Literal["http", "rtsp", "camera", "stdin"]
_SCHEMES: dict[str, Kind] = {"http": "http", "https": "http", "rtsp": "rtsp", "rtsps": "rtsp"}
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
_DEVICE = re.compile(r"/dev/video\d+")
_CAMERA = re.compile(r"camera:(.+)", re.IGNORECASE | re.DOTALL)
_ASCII = "".join(map(chr, range(128)))
_NO_TEXT = re.compile(r"[\s\x00-\x20\x7f]")


@dataclass(frozen=True)
class Address:
    """shown: without name, password and query, for messages and records. whole: as it was given, of a camera its name
    alone. host, port, user, password: of an address on the network; `bare` is the address without user and password."""

    kind: Kind
    shown: str
    whole: str = field(repr=False)
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    bare: str = field(default="", repr=False)

    @property
    def safe(self) -> bool:
        """Whether what is sent is encrypted, and the server shows who it is."""
        return self.whole.partition(":")[0].lower() in ("https", "rtsps")


def address_of(text: str) -> Address | None:
    """None for what is or may be a path; a file of such a name is meant first, but for `-`. Raises VideoError for an
    address that cannot be."""
    if text == "-":
        return Address("stdin", "standard input", text)
    if _DEVICE.fullmatch(text):
        return Address("camera", text, text)
    if os.path.lexists(text):
        return None
    if camera := _CAMERA.fullmatch(text):
        return Address("camera", text, camera[1])
    scheme, slashes, _ = text.partition("://")
    if not slashes or (kind := _SCHEMES.get(scheme.lower())) is None:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or _PORTS[scheme.lower()]
        sent = [quote(part, _ASCII, errors="surrogateescape") for part in (parts.path, parts.query)]
    except ValueError as error:  # which may quote what is secret
        raise VideoError(f"{scheme}://...: no address that can be ({_cause(error)}); check it") from None
    if not host or _NO_TEXT.search(text):
        what = "it has a space or a line break in it, which is written %20" if host else "it names no host"
        raise VideoError(f"{scheme}://{host}...: no address that can be: {what}")
    place = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, place, *sent, ""))
    shown = urlunsplit((parts.scheme, place, parts.path, "..." if parts.query else "", ""))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(kind, shown, text, host, port, user, password, bare)


def _cause(error: ValueError) -> str:
    return "the port is no number from 0 to 65535" if "ort" in str(error) else "it cannot be parsed"
