"""The masks themselves: a palette PNG of ids for each frame."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write, copying
from camn.files import encoded, replacing
from camn.masks import encode_palette_png
from camn.media.outputs import MaskWriter


@contextmanager
def _folder(path: Path, about: About) -> Iterator[Write]:
    writer = MaskWriter(path)
    yield lambda shown: writer.write(shown.name, shown.ids)


@contextmanager
def _zip(path: Path, about: About) -> Iterator[Write]:
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:  # PNG is packed already
        yield lambda shown: file.writestr(encoded(f"{shown.name}.png").decode(), encode_palette_png(shown.ids))


MASKS = Exporter(
    "masks", _folder, files=("*.png",), join=copying("*.png"), title="Masks", form="palette PNG, zip", packed=_zip
)
