"""Image folders as frame sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from camn.errors import VideoError
from camn.media.folder_files import EXTENSIONS, list_folder
from camn.media.levels import Shader, Shades, shades_of
from camn.media.name_order import natural_key
from camn.media.patterns import Pattern
from camn.media.picture import Header, Levels, read_header, read_page
from camn.media.source import Frame, FrameSource, check_pixels


@dataclass(frozen=True)
class FolderSource(FrameSource):
    """A folder of images as frames, or those whose names fit a pattern, named by their stems, in order (see
    `frame_order`); see FrameSource."""

    path: Path
    files: tuple[Path, ...]
    size: tuple[int, int]
    shades: Shades = field(default_factory=Shades)
    notes: tuple[str, ...] = ()
    kind: str = "folder"
    fps: Fraction | None = None
    time_base: Fraction | None = None
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        path: Path,
        max_pixels: int | None = None,
        levels: Levels | None = None,
        pattern: Pattern | None = None,
    ) -> FolderSource:
        """pattern: of which `path` is the folder. Raises VideoError: no images, an unreadable one, two with one stem,
        one of several pictures, sizes that differ or are too large, pictures among the frames that are not read."""
        listing = list_folder(path, pattern and pattern.matches)
        if not listing.frames:
            raise VideoError(pattern.none_fits(listing.beside) if pattern else _no_images(path))
        listing.refuse(path)
        files = [path / name for name in listing.frames]
        path = pattern.path if pattern else path
        _check_names(files)
        headers = [_header(files[0])]
        size = headers[0].size
        check_pixels(files[0], size, max_pixels)
        for file in files[1:]:
            headers.append(_header(file))
            _check_size(file, headers[-1].size, files[0], size)
        shades = shades_of(files, [header.wide for header in headers], levels)
        counted = pattern.notes(listing.frames) if pattern else []
        notes = tuple(f"{path}: {note}" for note in (*listing.notes, *counted, *shades.notes))
        return cls(path, tuple(files), size, shades, notes)

    @property
    def count(self) -> int:
        return len(self.files)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(file.stem for file in self.files)

    def __iter__(self) -> Iterator[Frame]:
        self.warnings[:] = self.notes
        shader = Shader(self.shades)
        for index, file in enumerate(self.files):
            image = read_page(file, shader.rgb)
            _check_size(file, image.shape[:2], self.files[0], self.size)
            yield Frame(index, file.stem, image, path=file)
        self.warnings.extend(f"{self.path}: {said}" for said in shader.warnings())


def _check_names(files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        if file.stem in seen:
            raise VideoError(
                f"{file.parent}: {seen[file.stem].name} and {file.name} share the name {file.stem!r}, and outputs are "
                "named by it; rename one or move it away"
            )
        seen[file.stem] = file


def _header(file: Path) -> Header:
    header = read_header(file)
    if len(header.pages) > 1:
        raise VideoError(
            f"{file}: holds {len(header.pages)} pictures, and a frame is one; give the file itself as the video, save "
            "its pictures as single files, or move it elsewhere"
        )
    return header


def _check_size(file: Path, size: tuple[int, ...], first: Path, wanted: tuple[int, int]) -> None:
    if tuple(size) != wanted:
        (h, w), (first_h, first_w) = size, wanted
        raise VideoError(
            f"{file}: {w}x{h} pixels, but {first.name} has {first_w}x{first_h}; "
            "all frames of a folder must have the same size: resize them or put other pictures elsewhere"
        )


def _no_images(folder: Path) -> str:
    wanted = ", ".join(sorted(EXTENSIONS))
    entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: natural_key(p.name))
    inner = [p.name for p in entries if p.is_dir()]
    if inner:
        shown = ", ".join(inner[:5]) + (", ..." if len(inner) > 5 else "")
        return f"{folder}: holds no images but the folders {shown}; give the folder with one video's frames ({wanted})"
    if entries:
        return f"{folder}: holds no images ({wanted}) among {len(entries)} files; give a folder of frames or a video"
    return f"{folder}: the folder is empty; give a folder of frames ({wanted}) or a video file"
