"""Clips a second that the loader makes, against those that training takes: whether the trainer is kept busy.

python bench/loader.py [--recipe recipes/camn-mobile-cpu-4.toml] [--workers 1 2] [--steps 4] [--device auto]

Frames are 640x360 JPEG files made for the occasion; with --own-data they are the recipe's own. Of a recipe with stages
the last is taken.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from PIL import Image

from camn.clips.dataset import ClipBatch
from camn.inference import resolve_device
from camn.speed.discs import moving_discs
from camn.speed.process import describe_machine
from camn.training.distributed import Team
from camn.training.engine import Trainer
from camn.training.loader import Shares, make_loader, training_videos
from camn.training.recipe import Recipe, load_stages


def make_data(root: Path) -> dict[str, object]:
    """Three videos of 30 frames, and each third frame as a still -> where they lie, by fields of a recipe."""
    for number in (1, 2, 3):
        video = root / "videos" / f"{number}"
        stills = root / "stills" / f"{number}"
        for folder in (video / "frames", video / "masks", stills / "images", stills / "masks"):
            folder.mkdir(parents=True)
        for k, (frame, mask) in enumerate(moving_discs(30, 360, 640, number)):
            for top, pictures in ((video, "frames"), *([(stills, "images")] if k % 3 == 0 else [])):
                Image.fromarray(frame).save(top / pictures / f"{k:03d}.jpg", quality=95)
                Image.fromarray(mask).save(top / "masks" / f"{k:03d}.png")
    return {"videos": str(root / "videos"), "split": "", "year": "", "stills": str(root / "stills")}


def open_plan(path: str | Path, folder: Path, own_data: bool = False) -> Recipe:
    """The last stage of a recipe, beginning from nothing and without validation. Its data are made in `folder`, unless
    it is to be trained on its own."""
    data = {} if own_data else make_data(folder)
    return load_stages(path, start="", validate="", holdout="", tensorboard=False, **data)[-1]


def open_loader(recipe: Recipe, team: Team) -> Iterator[ClipBatch]:
    return iter(make_loader(recipe, Shares(recipe, 0, team), training_videos(recipe), team.device.type == "cuda"))


def draw(recipe: Recipe, team: Team, count: int) -> tuple[list[ClipBatch], float]:
    """The first batches, `count` or more of them, and how many clips/s the loader made by itself."""
    ahead = 4 * recipe.workers  # what workers have in hand when the last one is counted matters little then
    start, batches = time.perf_counter(), open_loader(recipe, team)
    ready = list(islice(batches, count + ahead))
    return ready, sum(len(batch.objects) for batch in ready) / (time.perf_counter() - start)


def waited(batches: Iterator[ClipBatch], total: list[float]) -> Iterator[ClipBatch]:
    """The same batches; the seconds that each was waited for go to `total`."""
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        total.append(time.perf_counter() - start)
        if batch is None:
            return
        yield batch


def seconds_to_train(trainer: Trainer, batches: Iterable[ClipBatch], steps: int) -> float:
    """What so many steps take, after one to warm up."""
    iterator, parts = iter(batches), trainer.recipe.accumulate
    trainer.update(islice(iterator, parts))
    start = time.perf_counter()
    for _ in range(steps):
        trainer.update(islice(iterator, parts))
    return time.perf_counter() - start


def measure(trainer: Trainer, recipe: Recipe, steps: int) -> tuple[float, float, float]:
    """(clips/s of the loader by itself, clips/s of training by itself, share of time that training with it waits)."""
    count = (steps + 1) * recipe.accumulate
    ready, made = draw(recipe, trainer.team, count)
    taken = steps * recipe.batch / seconds_to_train(trainer, ready, steps)
    waits: list[float] = []
    together = seconds_to_train(trainer, waited(open_loader(recipe, trainer.team), waits), steps)
    return made, taken, sum(waits[recipe.accumulate : count]) / together  # without the warm-up's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default=Path(__file__).parents[1] / "recipes/camn-mobile-cpu-4.toml")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--own-data", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plan = open_plan(args.recipe, Path(folder), args.own_data)
        trainer = Trainer(plan, Path(folder) / "run", Team(device=resolve_device(args.device)))
        print(describe_machine())
        height, width = plan.clips.size
        size = f"batches of {plan.batch} clips of {plan.clips.frames} frames, {height}x{width}"
        print(f"{plan.name}: {plan.model} on {trainer.team.device}, {size}")
        for workers in args.workers:
            made, taken, share = measure(trainer, dataclasses.replace(plan, workers=workers), args.steps)
            busy = share < 0.05 and made >= taken
            verdict = "keeps the trainer busy" if busy else "the trainer waits for it: give it more workers"
            print(
                f"{workers} workers: loader {made:.1f} samples/s; training {taken / plan.batch:.2f} steps/s, "
                f"{taken:.1f} samples/s; together it waits {share:.0%} of the time: {verdict}"
            )


if __name__ == "__main__":
    main()
