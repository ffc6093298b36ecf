"""alpha/: each object cut out, its probability as alpha."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write, copying
from camn.media.alpha import AlphaWriter


@contextmanager
def _objects(kind: str, path: Path, about: About) -> Iterator[Write]:
    with AlphaWriter(path, kind, about.size, about.fps, about.tick, about.aspect) as writer:
        yield lambda shown: writer.write(shown.seen, shown.probabilities)


PNG = Exporter("alpha", partial(_objects, "png"), "results", ("*/*.png",), copying("*/*.png"))
PRORES = Exporter("alpha", partial(_objects, "prores"), "results", ("*.mov",), instead="png can")
VP9 = Exporter("alpha", partial(_objects, "vp9"), "results", ("*.webm",), instead="png can")
