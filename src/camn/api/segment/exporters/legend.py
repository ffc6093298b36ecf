"""What objects are called, and in which colours they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from camn.api.segment.exporters.exporter import LEGEND, About
from camn.masks import PALETTE
from camn.masks.colours import to_hex
from camn.masks.naming import object_name
from camn.media.outputs import write_json


def palette(about: About) -> np.ndarray:
    """(256, 3) uint8 RGB: the colour of each id."""
    colours = PALETTE.copy()
    for id, colour in about.colours.items():
        colours[id] = colour
    return colours


def legend(about: About) -> list[dict[str, Any]]:
    """id, name and colour of each object."""
    colours = palette(about)
    return [
        {"id": int(id), "name": object_name(id, about.names), "colour": to_hex(colours[id])}
        for id in sorted({*about.ids, *about.names})
    ]


def write_legend(folder: Path, about: About) -> None:
    """LEGEND in a folder. Raises OutputError."""
    write_json(folder / LEGEND, legend(about))
