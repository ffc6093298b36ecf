"""What people give for a video that is none, told by its name or its first bytes, before any library opens it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from camn.errors import VideoError

INTACT = "give an intact video file (mp4, mov, mkv, webm, avi, gif, ...) or a folder of images"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")  # a drive's letter is one; Path makes one slash of two
_NUMBERED = re.compile(r"%0?\d*d|[*?]|\[[^\]]*\]|#{2,}")
_USER = re.compile(r"(?<=/)[^/]*@")  # with a password, which nobody is to see
_CAMERA = re.compile(r"\d|/dev/video\d*")
_LOOK = 4096  # bytes

# Before the first element; a comment ends at its first -->, or many of them could be read in endlessly many ways.
_XML = rb"(<\?xml.*?\?>\s*)?(?><!--.*?-->\s*)*"
# What files begin with that name other files or addresses: never opened.
_LISTS = (
    (re.compile(rb"#EXTM3U"), "a playlist (M3U, HLS)"),
    (re.compile(rb"ffconcat version"), "a list of files (ffconcat)"),
    (re.compile(rb"(#[^\n]*\n\s*)*file\s+\S"), "a list of files (ffmpeg's concat)"),
    (re.compile(rb"\[(playlist|reference)\]", re.IGNORECASE), "a playlist"),
    (re.compile(_XML + rb"<MPD\b", re.DOTALL), "a playlist (DASH)"),
    (re.compile(_XML + rb"<(\w+:)?(asx|smil|playlist|CompositionPlaylist|SmoothStreamingMedia)\b",
                re.DOTALL | re.IGNORECASE), "a playlist"),
    (re.compile(rb"v=0\r?\no="), "the description of a stream (SDP)"),
    (re.compile(rb"(RTSPtext|rtsp://|https?://)", re.IGNORECASE), "a list of addresses"),
)  # fmt: skip
_OTHERS = (
    (re.compile(rb"PK(\x03\x04|\x05\x06)|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ"), "an archive, not a video: unpack it"),
    (re.compile(rb"%PDF"), "a PDF, not a video"),
    (re.compile(rb"version https://git-lfs"), "a pointer of Git LFS, not the video itself: git lfs pull fetches it"),
    (re.compile(rb"WEBVTT|\[Script Info\]|\d+\r?\n[\d:,.]+ +--> "), "subtitles, not a video"),
    (re.compile(rb"(<!doctype html|<html)", re.IGNORECASE), "a web page, not a video: download the video itself"),
)  # fmt: skip


def locate(path: str | Path) -> Path:
    """The path, if something is there. Raises VideoError, which says what an address, a camera or a pattern needs."""
    text, path = str(path), Path(path)
    try:
        if path.exists():
            return path
        broken = path.is_symlink()
    except PermissionError as error:
        raise VideoError(f"{path}: not allowed to look there; change the folder's permissions") from error
    except (OSError, ValueError) as error:
        raise VideoError(f"{text!r}: no path of a file ({error}); check it") from error
    if broken:
        raise VideoError(f"{path}: a link to what is not there; check where it points")
    if text.lower().startswith("file:"):
        raise VideoError(f"{text}: an address; give the plain path, without file://")
    if _ADDRESS.match(text):
        raise VideoError(
            f"{_USER.sub('', text)}: an address, and only files are read; save the video to a file first "
            "(a stream for example by ffmpeg -i ADDRESS -c copy video.mp4), and give that. camn segment reads http://, "
            "https:// and rtsp://"
        )
    if _CAMERA.fullmatch(text):
        raise VideoError(f"{text}: no such file; if a camera is meant, camn segment reads it as camera:{text}")
    if _NUMBERED.search(text):
        raise VideoError(
            f"{text}: no such file; a pattern is that of names in one folder, as frames/%05d.png: check the folder"
        )
    if text == "-":
        raise VideoError("-: only camn segment and camn mark read the standard input; give a file")
    if text.startswith("~"):
        raise VideoError(f"{text}: no such file; the shell did not expand ~: give the whole path")
    raise VideoError(f"{path}: no such file or folder; check the path")


def foreign(path: Path) -> str | None:
    """What a file is that must not be opened as a video, or cannot. Raises VideoError for what cannot be read."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            return f"a camera or another device; a camera is given to camn segment as camera:{path}"
        return f"a pipe or a socket; camn segment - < {path} reads a pipe"
    try:
        head = _head(path)
    except PermissionError as error:
        raise VideoError(f"{path}: not allowed to read it; change its permissions") from error
    except OSError as error:
        raise VideoError(
            f"{path}: cannot be read ({error.strerror or error}); check the disk, or copy it anew"
        ) from error
    return list_of_others(head) if head else "the file is empty"


def list_of_others(head: bytes) -> str | None:
    """What begins so, if it names further files or addresses."""
    for begins, what in _LISTS:
        if begins.match(head):
            return f"{what}, not a video: what it names is not opened"
    return None


def told_apart(path: Path) -> str | None:
    """What a file is that no library takes for a video, where its first bytes tell."""
    return other_kind(_head(path))


def other_kind(head: bytes) -> str | None:
    """What begins so, if it is known and no video."""
    for begins, what in _OTHERS:
        if begins.match(head):
            return what
    try:
        text = head.decode("utf-8", "strict" if len(head) < _LOOK else "ignore")
    except ValueError:
        return None
    return "text, not a video" if all(letter.isprintable() or letter in "\t\r\n\f" for letter in text) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return plain_head(file.read(_LOOK))


def plain_head(head: bytes) -> bytes:
    """The first bytes, without a byte order mark and white space before what is written; UTF-16 as UTF-8."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "ignore").encode("utf-8", "ignore") or head
    stripped = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return stripped or head
