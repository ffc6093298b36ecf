"""What can be written of a video's masks, each kind in a module of its own. A run, the parts of a split video and the
page take from here what they offer. Light to import: the modules are fetched when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from camn.api.segment.exporters.exporter import About, Exporter
from camn.errors import ConfigError

# By name: the module in this room, or elsewhere, and the exporter in it. In the order in which the page offers them.
EXPORTERS = {
    "masks": ".masks:MASKS",
    "coco": ".coco:COCO",
    "overlay": ".overlay:OVERLAY",
    "prores": ".cutout:PRORES",
    "vp9": ".cutout:VP9",
    "rgba-png": ".rgba:PNG",
    "over-h264": ".over:OVER",
    "matte-png": ".matte:PNG",
    "matte-h264": ".matte:H264",
    "matte-prores": ".matte:PRORES",
    "preview-gif": ".preview:GIF",
    "preview-webp": ".preview:WEBP",
    "alpha png": ".alpha:PNG",
    "alpha prores": ".alpha:PRORES",
    "alpha vp9": ".alpha:VP9",
    "objects": ".objects:OBJECTS",
    "yolo": ".yolo:YOLO",
    "youtube-vis": ".youtube_vis:YOUTUBE_VIS",
    "cvat-video": ".cvat:VIDEO",
    "cvat-images": ".cvat:IMAGES",
    "davis": ".vos:DAVIS",
    "youtube-vos": ".vos:YOUTUBE_VOS",
}


def exporter(name: str) -> Exporter:
    """Raises ConfigError for a name that is not known."""
    if name not in EXPORTERS:
        raise ConfigError(f"unknown export {name!r}; choose among {', '.join(EXPORTERS)}")
    module, _, attribute = EXPORTERS[name].partition(":")
    return getattr(importlib.import_module(module, __name__), attribute)


def exporters(names: Iterable[str] | None = None) -> dict[str, Exporter]:
    """Those of the names, or all that there are."""
    return {name: exporter(name) for name in (EXPORTERS if names is None else names)}


def nameless(names: Iterable[str]) -> bool:
    """Whether any of these exports loses what objects are called."""
    return any(not one.named for one in exporters(names).values())


def wishes_of(names: Iterable[str]) -> set[str]:
    """What these exports ask the user for, see `Exporter.wishes`."""
    return {wish for one in exporters(names).values() for wish in one.wishes}


def check_wishes(names: Iterable[str], **said: Any) -> None:
    """said: fields of `About`. Raises ConfigError for one that the user has changed and none of these exports shows."""
    plain = About.__dataclass_fields__
    changed = {wish: value for wish, value in said.items() if value != plain[wish].default}
    if lost := sorted(changed.keys() - (wishes_of(names) if changed else ())):
        able = ", ".join(name for name in EXPORTERS if lost[0] in wishes_of([name]))
        raise ConfigError(
            f"{lost[0]} is {changed[lost[0]]!r}, which only these exports show, and none of them is named: {able}; "
            f"name one, or leave the {lost[0]} out"
        )


def page_exports() -> dict[str, Exporter]:
    """What the page offers: made of masks that are there."""
    return {name: found for name, found in exporters().items() if found.title and found.of_masks}
