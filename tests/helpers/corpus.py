"""What the program is given when it is fuzzed: a tiny clip and all kinds of files that go with one.

CAMN_FUZZ=50 makes fifty times as many examples, from other seeds than `make test`."""

import functools
import inspect
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from camn.masks import write_palette_png

SIZE = (32, 48)
SMALL = ["--short-side", "32", "--threads", "1", "--backend", "eager", "--device", "cpu"]
TIMES = int(os.environ.get("CAMN_FUZZ", "0"))


def fuzzed(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of one example, which it makes by the `random.Random` that it is given first -> a test of `count`."""
    seeds = range(1_000_000, 1_000_000 + count * TIMES) if TIMES else range(count)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def all_of_them(**fixtures: object) -> None:
            for seed in seeds:
                try:
                    test(random.Random(seed), **fixtures)
                except BaseException as error:
                    error.add_note(f"by random.Random({seed})")
                    raise

        given = list(inspect.signature(test).parameters.values())[1:]
        all_of_them.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined], what pytest looks at
        return all_of_them

    return decorate


def picture(index: int) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[8 + index : 24 + index, 10:30] = (220, 40, 40)
    return image


def ids(index: int) -> np.ndarray:
    found = np.zeros(SIZE, np.uint8)
    found[8 + index : 24 + index, 10:30] = 1
    found[2:7, 2:9] = 2
    return found


def coco() -> dict:
    shape = [[10, 8, 30, 8, 30, 24, 10, 24]]
    size = {"height": SIZE[0], "width": SIZE[1]}
    image = [{"id": n, "file_name": f"{n:05d}.png", **size} for n in (0, 2)]
    made = [
        {"id": n, "image_id": i, "category_id": 1, "track_id": 1, "bbox": [10, 8, 20, 16], "segmentation": shape}
        for n, i in enumerate((0, 2), 1)
    ]
    rle = {"size": list(SIZE), "counts": [0, 40, SIZE[0] * SIZE[1] - 40]}
    made.append({"id": 3, "image_id": 0, "category_id": 2, "track_id": 2, "segmentation": rle, "attributes": {}})
    return {"images": image, "annotations": made, "categories": [{"id": 1, "name": "box"}, {"id": 2, "name": "line"}]}


RECIPE = {
    "model": "camn-mobile", "videos": ["DAVIS"], "year": "2017", "split": "train", "start": "camn-mobile", "seed": 3,
    "steps": 2, "batch": 1, "rate": 1e-4, "frozen": ["backbone._conv_stem"], "hard": [0.4, 0.25], "save_every": 1,
    "clips": {"size": [65, 65], "frames": 2, "gap": [1, 2], "weights": [["a", 0.5]], "motion": {"angle": 5},
              "appearance": {"noise": 0.1}},
}  # fmt: skip


def make_files(folder: Path) -> None:
    for part in ("frames", "masks", "DAVIS/JPEGImages/480p/box", "DAVIS/Annotations/480p/box", "DAVIS/ImageSets/2017"):
        (folder / part).mkdir(parents=True)
    with av.open(str(folder / "clip.mp4"), "w") as movie:
        stream = movie.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(3):
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index))))
        movie.mux(stream.encode())
    for index in range(3):
        for place in ("frames", "DAVIS/JPEGImages/480p/box"):
            kind = "jpg" if "JPEG" in place else "png"
            Image.fromarray(picture(index)).save(folder / place / f"{index:05d}.{kind}")
        for place in ("masks", "DAVIS/Annotations/480p/box"):
            write_palette_png(folder / place / f"{index:05d}.png", ids(index))
    Image.fromarray(ids(0) * 60).save(folder / "grey.png")
    Image.fromarray(np.where(ids(0)[..., None] == 1, np.uint8(200), np.uint8(0)).repeat(3, 2)).save(folder / "rgb.tif")
    (folder / "coco.json").write_text(json.dumps(coco()))
    (folder / "DAVIS/ImageSets/2017/val.txt").write_text("box\n")
    (folder / "jobs.csv").write_text("name,video,masks,short_side\na,clip.mp4,grey.png,32\nb,frames,masks,32\n")
    job = {"video": "clip.mp4", "masks": ["grey.png"], "keyframes": [0], "options": {"short_side": 32, "flip": True}}
    (folder / "jobs.jsonl").write_text(json.dumps(job) + "\n" + json.dumps({**job, "name": "b"}) + "\n")
    torch.save({"state_dict": {"conv.weight": torch.zeros(2, 2), "epoch": torch.tensor(3)}}, folder / "old.pth")


def made_anew(folder: Path, valid: Path) -> None:
    """Empties a folder and copies the valid files into it."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.copytree(valid, folder, dirs_exist_ok=True)


def whole(folder: Path) -> None:
    """No file in a folder of results is half-written, and none is left over from writing."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        assert ".part" not in path.name, path
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".mp4":
            with av.open(str(path)) as movie:
                next(movie.decode(video=0), None)
