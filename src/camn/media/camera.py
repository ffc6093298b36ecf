"""Cameras of this machine, through FFmpeg's input of devices."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from camn.errors import VideoError
from camn.media import network
from camn.media.addresses import Address
from camn.media.container import open_input, reason

if TYPE_CHECKING:
    import av.container

_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_DENIED = "not allowed to use it; on Linux join the group video, on macOS allow the terminal to use the camera"


def open_camera(address: Address) -> av.container.InputContainer:
    """By its number, its name or a part of that, or its path. Raises VideoError."""
    format = _FORMATS.get(sys.platform)
    known = _known(format) if format else []
    if format is None or not _has(format):
        raise VideoError(f"{address.shown}: PyAV cannot read cameras here; record to a file first, and give that")
    device = _device(address.whole, known)
    if device is None or (format == "v4l2" and not os.path.exists(device)):
        there = ", ".join(f"{path} ({name})" for path, name in known) or "none is seen on this machine"
        raise VideoError(f"{address.shown}: no such camera; there are: {there}")
    try:
        return open_input(device, "file", format, timeout=network.WAIT)
    except PermissionError as error:
        raise VideoError(f"{address.shown}: {_DENIED}") from error
    except Exception as error:
        raise VideoError(
            f"{address.shown}: cannot be read as a camera ({reason(error)}); check that no other program uses it"
        ) from error


def _has(format: str) -> bool:
    import av

    return any(format in names.split(",") for names in av.formats_available)


def _known(format: str) -> list[tuple[str, str]]:
    """(what opens it, its name) of each camera, as far as the system tells."""
    try:
        from av.device import enumerate_input_devices

        found = enumerate_input_devices(format)
        return [(one.name, one.description) for one in found if "video" in (one.media_types or ["video"])]
    except (ImportError, ValueError, OSError):  # an older PyAV; or one that cannot tell
        return []


def _device(wanted: str, known: list[tuple[str, str]]) -> str | None:
    if wanted.isdecimal() and sys.platform == "linux":
        return f"/dev/video{int(wanted)}"
    if wanted.isdecimal() and sys.platform == "win32":
        return _dshow(known[int(wanted)][0]) if int(wanted) < len(known) else None
    if wanted.isdecimal() or re.match(r"/dev/", wanted):
        return wanted
    named = [path for path, name in known if wanted.casefold() in (path.casefold(), name.casefold())]
    named = named or [path for path, name in known if wanted.casefold() in name.casefold()]
    return None if not named else _dshow(named[0]) if sys.platform == "win32" else named[0]


def _dshow(name: str) -> str:
    return f"video={name}"
