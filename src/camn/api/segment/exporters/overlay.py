"""overlay.mp4: the objects tinted over the video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write
from camn.api.segment.exporters.legend import palette
from camn.media.overlay import OverlayWriter


@contextmanager
def _movie(path: Path, about: About) -> Iterator[Write]:
    colours = palette(about)
    with OverlayWriter(path, about.size, about.fps, about.tick, about.opacity, colours, **about.played) as writer:
        yield lambda shown: writer.write(shown.seen, shown.ids)


OVERLAY = Exporter("overlay.mp4", _movie, "frames", title="Overlay", form="MP4", wishes=("opacity",))
