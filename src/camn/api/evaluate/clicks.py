"""How many clicks the objects of a folder take: see `camn.evaluation.clicks`."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from camn.api.models.load import CLICKS, cpu_threads, load_marker
from camn.api.options import Progress, Report
from camn.datasets.layouts import open_videos
from camn.datasets.pairs import read_pair
from camn.datasets.stills import Still, StillsFolder, scan_stills
from camn.errors import ConfigError, DataError, MaskError
from camn.evaluation.clicks import ClickScores, ObjectClicks, iou, jittered_box, measure_clicks
from camn.inference.marker import Marker
from camn.masks import IGNORE
from camn.media.outputs import prepare_output, write_json

LEAST = 16  # pixels of an object


def evaluate_clicks(
    dataset: str | Path,
    *,
    every: int = 10,
    year: str | int | None = None,
    split: str = "",
    resolution: str = "480p",
    clicks: str | Path = CLICKS,
    out: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Report = lambda progress: None,
) -> ClickScores:
    """Ask for each object of a folder of videos, or of stills (KIND/images, KIND/masks), by simulated clicks.

    every: of a video, every N-th frame that has a mask. year, split, resolution: of DAVIS, see `evaluate`; of 2016
    all objects are one. clicks: a shipped network for clicks, or a file. out: a folder for clicks.json.
    Raises DataError, CheckpointError, ConfigError, OutputError.
    """
    if every < 1:
        raise ConfigError(f"every is {every}: it must be 1 or more")
    pictures = list(_pictures(Path(dataset), every, year, split, resolution))
    if not pictures:
        raise DataError(f"{dataset}: no frame with a mask")
    marker, found, encoding = load_marker(clicks, device), [], []
    start = time.monotonic()
    with cpu_threads(threads):
        for done, (name, read) in enumerate(pictures, 1):
            image, labels = read()
            began = time.monotonic()
            marker.look(image)
            encoding.append(time.monotonic() - began)
            found += _objects(marker, name, labels)
            progress(Progress(done, len(pictures), time.monotonic() - start))
    if not found:
        raise DataError(f"{dataset}: no object of {LEAST} pixels or more in {len(pictures)} frames")
    scores = ClickScores(tuple(found), float(np.mean(encoding)))
    if out is not None:
        each = [{"name": o.name, "id": o.id, "ious": list(o.ious), "box": o.box} for o in found]
        write_json(prepare_output(out) / "clicks.json", scores.to_dict() | {"each": each})
    return scores


def _pictures(
    root: Path, every: int, year: str | int | None, split: str, resolution: str
) -> Iterator[tuple[str, Callable[[], tuple[np.ndarray, np.ndarray]]]]:
    """Names, and what reads each: a picture and its labels."""
    stills: tuple[Still, ...] = ()
    if not year and not split and root.is_dir() and any((kind / "images").is_dir() for kind in root.iterdir()):
        stills, _ = scan_stills(root)
    if stills:
        yield from ((f"{still.kind}/{still.image.name}", still.read) for still in StillsFolder(root).stills)
        return
    for video in open_videos(root, split, year or "", resolution).sequences:
        for frame, mask in [pair for pair in zip(video.frames, video.masks, strict=True) if pair[1]][::every]:
            yield f"{video.name}/{frame.stem}", lambda f=frame, m=mask: _read(f, m, str(year) == "2016")


def _read(frame: Path, mask: Path | None, as_one: bool) -> tuple[np.ndarray, np.ndarray]:
    assert mask is not None
    image, labels = read_pair(frame, mask)
    return image, np.where((labels > 0) & (labels != IGNORE), 1, labels).astype(np.uint8) if as_one else labels


def _objects(marker: Marker, name: str, labels: np.ndarray) -> Iterator[ObjectClicks]:
    counted = labels != IGNORE
    for id in sorted(set(np.unique(labels).tolist()) - {0, IGNORE}):
        truth = labels == id
        if truth.sum() < LEAST:
            continue
        seconds: list[float] = []

        def ask(x: float, y: float, positive: bool, times: list[float] = seconds) -> np.ndarray:
            began = time.monotonic()
            try:
                return marker.click(x, y, positive).mask
            except MaskError:  # only negative clicks, after an answer that was empty: as it would be for a user
                return np.zeros(labels.shape, bool)
            finally:
                times.append(time.monotonic() - began)

        ious = measure_clicks(ask, truth, counted)
        marker.forget()
        box = marker.box(*jittered_box(truth, np.random.default_rng(zlib.crc32(f"{name} {id}".encode()))))
        marker.forget()
        yield ObjectClicks(name, id, tuple(ious), iou(box.mask, truth, counted), tuple(seconds))
