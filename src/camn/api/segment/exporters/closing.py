"""Exporters that take frames one by one, and write what is known of all of them at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from camn.api.segment.exporters.exporter import Shown, Write
from camn.files import ClosedAtEnd


class Writer(ClosedAtEnd):
    """Takes each frame; `close` writes what is known of all."""

    def write(self, shown: Shown) -> object:
        raise NotImplementedError


@contextmanager
def closing_at_end(writer: Writer) -> Iterator[Write]:
    """Its `write`. It is closed at the end, also after an error elsewhere: what was written is true."""
    with writer:
        yield writer.write
