"""What is trained on and what is validated on, opened by a recipe; the two are kept apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path

from torch.utils.data import DataLoader, Dataset, Sampler

from camn.clips.dataset import ClipBatch, ClipDataset, ClipSample, collate
from camn.datasets.holdout import Holdout, read_holdout
from camn.datasets.layouts import VideoFolder, VideoSequence, open_videos
from camn.datasets.stills import StillsFolder
from camn.errors import CamnError, ConfigError, DataError, TrainingError
from camn.training.distributed import Team
from camn.training.recipe import Recipe


class Shares(Sampler[list[int]]):
    """The items of one process: for each step from `first` on, for each part of it, a list.

    Step s of the whole team is items s * batch to (s + 1) * batch - 1, cut in equal runs by rank, then by part: what is
    drawn in a step depends neither on how many processes share it nor on where a run was resumed.
    """

    def __init__(self, recipe: Recipe, first: int = 0, team: Team = Team()):  # noqa: B008, it is frozen
        self.recipe, self.first, self.team = recipe, first, team
        self.size, left = divmod(recipe.batch, team.size * recipe.accumulate)
        if left:
            raise ConfigError(
                f"recipe {recipe.name}: a batch of {recipe.batch} clips does not go evenly into {team.size} processes "
                f"of {recipe.accumulate} parts each; change batch, accumulate, or torchrun's number of processes"
            )

    def items(self, step: int, part: int) -> list[int]:
        start = step * self.recipe.batch + (self.team.rank * self.recipe.accumulate + part) * self.size
        return list(range(start, start + self.size))

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.recipe.steps):
            for part in range(self.recipe.accumulate):
                yield self.items(step, part)

    def __len__(self) -> int:
        return (self.recipe.steps - self.first) * self.recipe.accumulate


def training_videos(recipe: Recipe) -> tuple[VideoSequence, ...] | None:
    """The sequences of all its folders, None without one. Raises DataError."""
    if not recipe.videos:
        return None
    folders = [open_videos(root, recipe.split, recipe.year, recipe.resolution) for root in recipe.videos]
    if recipe.holdout:
        held = read_holdout(recipe.holdout)
        kept = [_without(folder, held) for folder in folders]
        if kept == folders:
            raise DataError(
                f"{recipe.holdout}: none of its videos is in {', '.join(recipe.videos)}; give their hold-out"
            )
        folders = kept
    return tuple(sequence for folder in folders for sequence in folder.sequences)


def _without(folder: VideoFolder, held: Holdout) -> VideoFolder:
    if folder.layout != "youtube-vos":
        return folder
    return replace(folder, sequences=held.for_training(folder.sequences))


def validation_videos(recipe: Recipe) -> VideoFolder | None:
    """What it validates on, None without. Raises DataError, and ConfigError where any of it is trained on."""
    if not recipe.validate:
        return None
    folder = open_videos(recipe.validate, recipe.validate_split, recipe.validate_year, recipe.resolution)
    if recipe.holdout and folder.layout == "youtube-vos":
        folder = replace(folder, sequences=read_holdout(recipe.holdout).for_evaluation(folder.sequences))
    trained = {place(sequence) for sequence in training_videos(recipe) or ()}
    if both := [str(place(sequence)) for sequence in folder.sequences if place(sequence) in trained]:
        more = f" and {len(both) - 3} more" if len(both) > 3 else ""
        raise ConfigError(
            f"recipe {recipe.name}: {', '.join(both[:3])}{more} would be trained on and validated on; a score on what "
            "was trained on says nothing: take it out of either"
        )
    return folder


def place(sequence: VideoSequence) -> Path:
    """The folder of its frames, links followed."""
    return sequence.frames[0].parent.resolve()


def make_loader(recipe: Recipe, shares: Shares, videos: Sequence[VideoSequence] | None, pin: bool) -> DataLoader:
    """Batches of this process's items, in their order. pin: in memory that a CUDA device reads from directly."""
    stills = StillsFolder(recipe.stills) if recipe.stills else None
    data = ClipDataset(videos, stills, recipe.clips, seed=recipe.seed, length=recipe.steps * recipe.batch)
    reading, workers = Reading(data), recipe.workers
    return DataLoader(reading, batch_sampler=shares, num_workers=workers, collate_fn=collated, pin_memory=pin)


def described(data: ClipDataset) -> str:
    """What is trained on: how much of it, and a digest of its files' names. It says nothing of where they lie."""
    videos, stills = data.videos or (), data.stills.stills if data.stills else ()
    names = [
        f"{v.name}/{frame.name} {mask.name if mask else ''}" for v in videos for frame, mask in zip(v.frames, v.masks)
    ]
    names += [f"{still.kind}/{still.image.name}" for still in stills]
    frames = sum(len(video.annotated) for video in videos)
    digest = hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()[:12]
    return f"{len(videos)} videos with {frames} masks, {len(stills)} stills, names {digest}"


class Reading(Dataset):
    """Clips as a loader's processes read them. What cannot be read is answered, not raised: an error that is raised in
    another process comes with its traceback for a message."""

    def __init__(self, clips: ClipDataset):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> ClipSample | DataError:
        try:
            return self.clips[index]
        except DataError as error:
            return error


def collated(samples: Sequence[ClipSample | DataError]) -> ClipBatch | DataError:
    """See `collate`; the error, if there is one among them."""
    errors = [sample for sample in samples if isinstance(sample, DataError)]
    return errors[0] if errors else collate([sample for sample in samples if isinstance(sample, ClipSample)])


class Batches:
    """What a loader gives, once. Raises DataError in the dataset's words."""

    def __init__(self, loader: DataLoader):
        self._loader = loader
        self._workers: set[BaseProcess] = set()

    def __iter__(self) -> Iterator[ClipBatch]:
        others = set(active_children())
        reading = iter(self._loader)
        self._workers = set(active_children()) - others
        for batch in reading:
            if isinstance(batch, DataError):
                raise batch
            yield batch

    @contextmanager
    def telling_of_workers(self) -> Iterator[None]:
        """Turns what torch raises when a process of the loader has gone, wherever the program then is, into a
        TrainingError."""
        try:
            yield
        except (RuntimeError, CamnError) as error:  # of ours where it came while saving or waiting for other processes
            if not any(worker.exitcode for worker in self._workers):
                raise
            raise TrainingError(
                "a process that reads data has ended in the middle: killed, or out of memory. The same command goes on "
                "from the last checkpoint; with fewer workers it needs less memory"
            ) from error
