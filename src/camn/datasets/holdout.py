"""A part of YouTube-VOS train kept out of training to be measured on, since the public val has no labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from camn.datasets.layouts import VideoFolder, annotations_of
from camn.datasets.pairs import raise_problems
from camn.datasets.sequence import VideoSequence
from camn.errors import ConfigError, DataError, words_of
from camn.files import encoded, text_of, to_json, write_whole

FORMAT = "camn-holdout-1"


@dataclass(frozen=True)
class HoldoutOptions:
    """How much is held out. Raises ConfigError for values that cannot be.

    categories: how many are held out whole, with every video that shows one of them; one that would take these videos
    beyond the share `unseen` of all is passed over. seen: share of the other videos that is held out, too.
    """

    seed: int = 0
    categories: int = 8
    unseen: float = 0.1
    seen: float = 0.05

    def __post_init__(self):
        if self.categories < 1:
            raise ConfigError(f"categories is {self.categories}: at least 1 must be held out whole")
        for name, share in (("unseen", self.unseen), ("seen", self.seen)):
            if not 0 < share < 1:
                raise ConfigError(f"{name} is {share}: a share of all videos lies between 0 and 1")


@dataclass(frozen=True)
class Holdout:
    """Which videos are held out: those with a category that training never sees, and some of the others.

    unseen: the categories that no video left for training shows. meta_sha256: of the meta.json it was made from.
    """

    options: HoldoutOptions
    meta_sha256: str
    unseen: tuple[str, ...]
    unseen_videos: tuple[str, ...]
    seen_videos: tuple[str, ...]

    @property
    def videos(self) -> frozenset[str]:
        return frozenset(self.unseen_videos + self.seen_videos)

    def for_training(self, sequences: Iterable[VideoSequence]) -> tuple[VideoSequence, ...]:
        """Those that are not held out."""
        return tuple(sequence for sequence in sequences if sequence.name not in self.videos)

    def for_evaluation(self, sequences: Iterable[VideoSequence]) -> tuple[VideoSequence, ...]:
        """Those that are held out. Raises DataError that names the ones that are not there."""
        found = tuple(sequence for sequence in sequences if sequence.name in self.videos)
        missing = sorted(self.videos - {sequence.name for sequence in found})
        if missing:
            some = f"{', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}"
            raise DataError(f"{len(missing)} held-out videos are not in the folder ({some}); fetch them again")
        return found

    def check(self, folder: VideoFolder) -> None:
        """Raises DataError if the folder's meta.json is not the one that the hold-out was made from."""
        path = meta_of(folder)
        if _sha256(path) != self.meta_sha256:
            raise DataError(f"{path}: is not the meta.json that the hold-out was made from; split again, train again")


def split_by_category(
    categories: Mapping[str, Iterable[str]], options: HoldoutOptions | None = None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(unseen categories, videos that show one, other held-out videos), each sorted; the same for the same seed.

    categories: video -> the categories it shows. What is drawn does not hang on the order of the mapping. Every
    category that is not unseen keeps a video for training. Raises DataError if no category is small enough.
    """
    options = options or HoldoutOptions()
    shown = {video: frozenset(names) for video, names in categories.items()}
    names = sorted(frozenset().union(*shown.values()))
    chosen, out = [], set()
    for name in _drawn(names, f"{options.seed} category"):
        more = out | {video for video, has in shown.items() if name in has}
        if len(chosen) < options.categories and len(more) <= options.unseen * len(shown):
            chosen, out = [*chosen, name], more
    if not chosen:
        share = f"{100 * options.unseen:g}%"
        raise DataError(
            f"every one of {len(names)} categories shows in more than {share} of the videos; give a larger share"
        )
    left = {video: has for video, has in shown.items() if video not in out}
    kept = {name: sum(name in has for has in left.values()) for name in names}
    wanted, seen = round(options.seen * len(left)), []
    for video in _drawn(sorted(left), f"{options.seed} video"):
        if len(seen) < wanted and all(kept[name] > 1 for name in left[video]):
            seen.append(video)
            kept |= {name: kept[name] - 1 for name in left[video]}
    unseen = sorted(name for name in names if not kept[name])  # also those that show beside a chosen one only
    return tuple(unseen), tuple(sorted(out)), tuple(sorted(seen))


def make_holdout(folder: VideoFolder, options: HoldoutOptions | None = None) -> Holdout:
    """Split a folder of YouTube-VOS by the categories of its meta.json. Raises DataError if it has none."""
    path = meta_of(folder)
    categories = {
        sequence.name: set(folder.categories.get(sequence.name, {}).values()) for sequence in folder.sequences
    }
    lacking = [f"{name}: no category in {path}" for name, found in categories.items() if not found or "" in found]
    raise_problems(f"the categories of {folder.root}", lacking)
    options = options or HoldoutOptions()
    return Holdout(options, _sha256(path), *split_by_category(categories, options))


def write_holdout(path: str | Path, holdout: Holdout) -> None:
    """A JSON file, whole or not at all. Raises OutputError."""
    write_whole(Path(path), to_json({"format": FORMAT, **asdict(holdout)}))


def read_holdout(path: str | Path) -> Holdout:
    """Raises DataError if the file is missing or no hold-out."""
    try:
        content = json.loads(text_of(Path(path).read_bytes()))
        if content.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        options = HoldoutOptions(**content.pop("options"))
        lists = {name: tuple(map(str, content.pop(name))) for name in ("unseen", "unseen_videos", "seen_videos")}
        return Holdout(options, str(content.pop("meta_sha256")), **lists)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = words_of(error)
        raise DataError(f"{path}: no hold-out that can be read ({said}); make one with camn data split") from error


def meta_of(folder: VideoFolder) -> Path:
    """The meta.json of a folder of YouTube-VOS. Raises DataError if there is none."""
    top = folder.root if (folder.root / "JPEGImages").is_dir() else folder.root / folder.split
    path = annotations_of(top).parent / "meta.json"
    if folder.layout != "youtube-vos" or not path.is_file():
        raise DataError(f"{path}: no such file; categories are needed, which YouTube-VOS keeps there")
    return path


def _drawn(names: list[str], seed: str) -> list[str]:
    """In an order that is random but the same on every machine and in every version of Python."""
    return sorted(names, key=lambda name: hashlib.sha256(encoded(f"{seed} {name}")).digest())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
