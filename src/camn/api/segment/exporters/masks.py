"""The masks themselves: a palette PNG of ids for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write, copying
from camn.media.outputs import MaskWriter


@contextmanager
def _folder(path: Path, about: About) -> Iterator[Write]:
    writer = MaskWriter(path)
    yield lambda shown: writer.write(shown.name, shown.ids)


MASKS = Exporter("masks", _folder, files=("*.png",), join=copying("*.png"), title="Masks", form="palette PNG, zip")
