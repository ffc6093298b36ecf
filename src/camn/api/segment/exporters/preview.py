"""preview.gif, preview.webp: a small animated overlay that loops, for a page or a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write
from camn.api.segment.exporters.legend import palette
from camn.media.preview import PreviewWriter


@contextmanager
def _animation(kind: str, path: Path, about: About) -> Iterator[Write]:
    how = about.size, about.fps, about.tick, about.aspect, about.opacity, palette(about)
    with PreviewWriter(path, kind, *how) as writer:
        yield lambda shown: writer.write(shown.seen, shown.ids)


GIF = Exporter(
    "preview.gif", partial(_animation, "gif"), "frames", title="Preview", form="animated GIF", wishes=("opacity",)
)
WEBP = Exporter(
    "preview.webp", partial(_animation, "webp"), "frames", title="Preview", form="animated WebP", wishes=("opacity",)
)
