"""segments.json: COCO run-length masks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write
from camn.masks import SegmentsWriter


@contextmanager
def _file(path: Path, about: About) -> Iterator[Write]:
    with SegmentsWriter(path, about.names) as writer:
        yield lambda shown: writer.add(shown.index, shown.name, shown.ids)


COCO = Exporter("segments.json", _file, named=True, title="COCO", form="RLE, JSON")
