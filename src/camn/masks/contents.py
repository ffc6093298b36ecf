"""The text of a file of annotations, also within the zip in which tools hand it out."""

from __future__ import annotations

import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from camn.errors import MaskError, words_of

ZIP = b"PK\x03\x04"
LARGEST = 128 << 20  # bytes of an annotation file in a zip: of such text a bomb could be made
_KINDS = (".xml", ".json")


def head(path: Path, count: int) -> bytes:
    """The first bytes; of a zip with one annotation file, of that. Nothing of a folder, or of what cannot be read: who
    tries to will say so."""
    first = b""
    with suppress(Exception):  # unpackers raise nearly anything on a broken file
        with path.open("rb") as file:
            first = file.read(count)
        if first.startswith(ZIP) and (member := _member(path)):
            with zipfile.ZipFile(path) as archive, archive.open(member) as file:
                first = file.read(count)
    return first


def contents(path: Path) -> bytes:
    """All bytes; of a zip, those of the one annotation file in it. Raises MaskError."""
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP)) != ZIP:
                file.seek(0)
                return file.read()
    except OSError as error:
        raise MaskError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return _unpacked(path)
    except (MaskError, MemoryError):
        raise
    except Exception as error:  # see `head`
        raise MaskError(f"{path}: the zip is damaged or cut short ({words_of(error)}); download it again") from error


def _unpacked(path: Path) -> bytes:
    """The one annotation file of a zip. Raises MaskError, and anything of a broken one."""
    member = _member(path)
    if member is None:
        raise MaskError(f"{path}: a zip without one annotation file; unpack it, and give the file or folder in it")
    if member.file_size > LARGEST:
        raise MaskError(f"{path}: {member.filename} is larger than {LARGEST >> 20} MB; unpack the zip, and give it")
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        return file.read(LARGEST)


def _member(path: Path) -> zipfile.ZipInfo | None:
    """The one annotation file of a zip."""
    with zipfile.ZipFile(path) as archive:
        found = [
            one
            for one in archive.infolist()
            if one.filename.lower().endswith(_KINDS) and not one.filename.startswith(("__MACOSX/", "."))
        ]
    return found[0] if len(found) == 1 else None


def json_in(path: Path) -> Any:
    """Raises MaskError."""
    try:
        return json.loads(contents(path))
    except (ValueError, RecursionError) as error:
        raise MaskError(f"{path}: not valid JSON ({error})") from error


def xml_in(path: Path) -> ElementTree.Element:
    """The root element. A document type is refused, as its entities can stand for any amount of text, or for other
    files. Raises MaskError."""
    tree, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data

    def refuse(*declared: Any) -> None:
        raise MaskError(f"{path}: has a document type (<!DOCTYPE>), which no annotation tool writes: remove it")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(contents(path), True)
        return tree.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise MaskError(f"{path}: not valid XML ({error}); it may be cut short: download it again") from error
