"""rgba/: all objects cut out together, as pictures whose alpha is the mask itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camn.api.segment.exporters.exporter import About, Exporter, Write, copying
from camn.api.segment.exporters.matte import write_png
from camn.media.alpha import cleared, cut_out
from camn.media.outputs import prepare_output


@contextmanager
def _pictures(path: Path, about: About) -> Iterator[Write]:
    folder = prepare_output(path)
    yield lambda shown: write_png(folder / f"{shown.name}.png", cleared(cut_out(shown.seen.image, shown.ids > 0)))


PNG = Exporter("rgba", _pictures, "frames", ("*.png",), copying("*.png"), title="Cut-out", form="PNG with alpha, zip")
