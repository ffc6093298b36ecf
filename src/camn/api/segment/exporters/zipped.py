"""Folders of exports as one file each."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Opener, Write
from camn.api.segment.exporters.legend import write_legend
from camn.files import encoded, replacing
from camn.media.outputs import scratch

_PACKED = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".mov", ".webm"}  # which nothing makes smaller


def in_one_file(one: Exporter) -> Opener:
    """Opens an export so that it ends as one file: of a folder a zip. After an error there is none of that."""

    @contextmanager
    def open(path: Path, about: About) -> Iterator[Write]:
        with replacing(path) as part, scratch(path) as folder:
            with one.open(folder, about) as write:
                yield write
            if not one.named:
                write_legend(folder, about)
            _pack(folder, part)

    return open if one.files else one.open


def _pack(folder: Path, archive: Path) -> None:
    """All files below the folder, in order of their names."""
    with zipfile.ZipFile(archive, "w", strict_timestamps=False) as made:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = encoded(file.relative_to(folder).as_posix()).decode()
            made.write(file, name, zipfile.ZIP_STORED if file.suffix.lower() in _PACKED else zipfile.ZIP_DEFLATED)
