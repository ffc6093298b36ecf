"""Exporters that take frames one by one, and write what is known of all of them at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from camn.api.segment.exporters.exporter import Shown, Write
from camn.files import close_after


class Writer(Protocol):
    def write(self, shown: Shown) -> object: ...

    def close(self) -> None: ...


@contextmanager
def closing_at_end(writer: Writer) -> Iterator[Write]:
    """Its `write`. It is closed at the end, also after an error elsewhere: what was written is true."""
    failure = None
    try:
        yield writer.write
    except BaseException as error:
        failure = error
        raise
    finally:
        close_after(writer.close, failure)
