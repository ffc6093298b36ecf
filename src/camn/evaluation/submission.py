"""A zip file of masks as the public servers take it: DAVIS 2017 test-dev, YouTube-VOS."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from camn.datasets.holdout import meta_of
from camn.datasets.labels import LabelFiles
from camn.datasets.layouts import VideoFolder
from camn.datasets.pairs import raise_problems
from camn.errors import DataError, OutputError, words_of
from camn.files import encoded, replacing, text_of
from camn.masks import encode_palette_png

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that zip knows: the same masks make the same bytes


def wanted_frames(folder: VideoFolder) -> dict[str, tuple[str, ...]]:
    """Sequence -> names of the frames whose masks the server takes: DAVIS wants all, YouTube-VOS those of meta.json.

    Raises DataError for a folder of another kind, and if meta.json names videos or frames that are not there.
    """
    if folder.layout == "davis":
        return {s.name: tuple(frame.stem for frame in s.frames) for s in folder.sequences}
    if folder.layout != "youtube-vos":
        raise DataError(f"{folder.root}: submissions are for DAVIS and YouTube-VOS; no server takes one's own clips")
    path = meta_of(folder)
    try:
        videos = json.loads(text_of(path.read_bytes()))["videos"]
        wanted = {
            name: {f for item in video["objects"].values() for f in item["frames"]} for name, video in videos.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = words_of(error)
        raise DataError(f"{path}: does not tell which frames the server wants ({said}); fetch it again") from error
    present = {s.name: {frame.stem for frame in s.frames} for s in folder.sequences}
    problems = [f"{name}: no such video in {folder.root}" for name in sorted(wanted.keys() - present.keys())]
    for name in sorted(wanted.keys() & present.keys()):
        missing = sorted(wanted[name] - present[name])
        problems += [f"{name}: no frame {', '.join(missing[:5])}"] if missing else []
    raise_problems(f"the folder {folder.root} and its meta.json", problems)
    return {name: tuple(sorted(frames)) for name, frames in sorted(wanted.items())}


def check_submission(path: str | Path, folder: VideoFolder) -> None:
    """Raises OutputError for another suffix than .zip, DataError as `wanted_frames` does; before any work is done."""
    if Path(path).suffix != ".zip":
        raise OutputError(f"{path}: submissions are .zip files; give a name that ends so")
    wanted_frames(folder)


def write_submission(path: str | Path, predictions: str | Path, folder: VideoFolder) -> Path:
    """Zip PREDICTIONS/SEQUENCE/FRAME.png as palette PNGs, at the frames' own size; whole or not at all.

    DAVIS: SEQUENCE/FRAME.png. YouTube-VOS: Annotations/VIDEO/FRAME.png. Entries lie in order and carry no time, so that
    the same masks give the same bytes. Raises DataError that names every mask that is missing or of another size than
    its frame, OutputError if the file cannot be written.
    """
    check_submission(path, folder)
    wanted, top = wanted_frames(folder), Path(predictions)
    raise_problems(f"the masks in {top}", _problems(top, folder, wanted))
    prefix = "" if folder.layout == "davis" else "Annotations/"
    with replacing(Path(path)) as part, zipfile.ZipFile(part, "w") as archive:
        for name in sorted(wanted):
            files = LabelFiles(tuple(top / name / f"{frame}.png" for frame in wanted[name]))
            for frame in wanted[name]:
                entry = zipfile.ZipInfo(encoded(f"{prefix}{name}/{frame}.png").decode(), EPOCH)
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, encode_palette_png(files.read(top / name / f"{frame}.png")))
    return Path(path)


def _problems(top: Path, folder: VideoFolder, wanted: Mapping[str, tuple[str, ...]]) -> list[str]:
    found = []
    for sequence in folder.sequences:
        frames = {frame.stem: frame for frame in sequence.frames}
        for name in wanted.get(sequence.name, ()):
            mask = top / sequence.name / f"{name}.png"
            if not mask.is_file():
                found.append(f"{mask}: missing; the server wants a mask of this frame")
            elif (size := _size(mask)) != (asked := _size(frames[name])):
                found.append(f"{mask}: {size[0]}x{size[1]}, its frame {asked[0]}x{asked[1]}; make it at that size")
    return found


def _size(path: Path) -> tuple[int, int]:
    """(width, height), of the file's head alone."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({error}); make it again") from error
