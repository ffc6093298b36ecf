"""run.json: what was run, on what, with what, and how it went."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import camn
from camn.api.models.load import Model
from camn.api.options import SegmentOptions
from camn.api.segment.outputs import RUN_RECORD
from camn.errors import OutputError, words_of
from camn.masks import MaskSet
from camn.masks.colours import from_hex, to_hex
from camn.media.outputs import write_json
from camn.media.source import FrameSource

_LIBRARIES = ("torch", "onnxruntime", "av", "numpy", "pillow", "opencv-python-headless")


def about_run(
    source: FrameSource,
    masks: Sequence[Path],
    given: MaskSet,
    options: SegmentOptions,
    model: Model,
    device: torch.device,
    threads: int,
) -> dict[str, Any]:
    """What is known of a run before it starts; JSON can hold it."""
    height, width = source.size
    return {
        "program": "camn",
        "status": "",
        "error": None,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),  # tells two runs of a folder apart
        "video": str(source.path.resolve()) if source.path else source.place,
        "masks": [str(file.resolve()) for file in masks],
        "width": width,
        "height": height,
        "fps": float(source.fps or options.rate()),
        "model": model.sources[0].as_dict(),
        "models": [source.as_dict() for source in model.sources],
        "options": dataclasses.asdict(options),
        "device": str(device),
        "threads": threads,
        "versions": versions(),
        "ids": list(given.ids),
        "colours": {str(id): to_hex(colour) for id, colour in given.colours.items()},
        "annotated_frames": sorted(given.masks),
        "masks_sha256": _sha256(given),
        "notes": list(given.notes),
    }


def _sha256(given: MaskSet) -> str:
    """Of all that masks say."""
    absent = sorted((index, sorted(ids)) for index, ids in given.absent.items())
    digest = hashlib.sha256(repr((list(given.ids), absent, given.whole)).encode())
    for index, mask in sorted(given.masks.items()):
        digest.update(f"{index} {mask.shape}".encode())
        digest.update(mask.tobytes())
    return digest.hexdigest()


def objects_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of the objects: fields of `About`. Raises ValueError, TypeError where it makes no sense."""
    names = {int(id): str(name) for id, name in record.get("names", {}).items()}
    colours = {int(id): from_hex(colour) for id, colour in record.get("colours", {}).items()}
    return {"ids": tuple(map(int, record["ids"])), "names": names, "colours": colours}


@contextmanager
def recording(folder: Path, about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Keeps the folder's run.json: `running` at first, at the end `done`, `failed` or `interrupted`.

    Yields a copy of `about` to add to. Raises OutputError; after another error that one is raised.
    """
    record = about | {"status": "running"}
    write_json(folder / RUN_RECORD, record)
    try:
        yield record
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        reason = str(error) or ("stopped by the user" if stopped else words_of(error))
        record |= {"status": "interrupted" if stopped else "failed", "error": reason}
        with suppress(OutputError):
            write_json(folder / RUN_RECORD, record)
        raise
    write_json(folder / RUN_RECORD, record | {"status": "done"})


def versions() -> dict[str, str | None]:
    """Of camn, Python and the libraries that results depend on; None for one that is not installed."""
    found: dict[str, str | None] = {"camn": camn.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
