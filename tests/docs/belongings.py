"""What the commands of the pages take to be there, made of a small clip: files by the names that stand on the pages."""

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from camn import api
from camn.masks import write_palette_png
from camn.projects.frame_files import write_frame
from camn.projects.project import Project
from camn.projects.record import Record

WEIGHTS = Path(api.__file__).parents[1] / "assets" / "weights" / "camn-mobile.safetensors"
KINDS = ("ant", "bat", "cat", "dog", "elk", "fox", "gnu", "hen", "jay", "kiwi", "lark")  # two videos each
DISCS = {1: ((80, 95), 26), 2: ((32, 75), 14)}  # about where the rabbit and a stone are: place, radius


def fill(folder: Path, clip: Path) -> None:
    shutil.copy(clip, folder / "clip.mp4")
    source = api.open_source(clip)
    frames = [frame.image for frame in source]
    mask = np.zeros(source.size, np.uint8)
    for number, (place, radius) in DISCS.items():
        cv2.circle(mask, place, radius, number, -1)
    _pictures(folder, frames, mask)
    _own_clips(folder)
    about = {"size": source.size, "source": source, "ids": DISCS}
    for name, file in (("davis", "DAVIS"), ("youtube-vos", "exported"), ("cvat-video", "annotations.xml")):
        api.export_masks(name, lambda index: mask, folder / file, **about)
    with zipfile.ZipFile(folder / "annotations.zip", "w") as packed:
        packed.write(folder / "annotations.xml", "annotations.xml")
    _davis(folder / "DAVIS")
    _youtube(folder / "YTVOS", folder / "exported")
    _project(folder / "camn-projects" / "ID", frames, mask)
    _weights(folder)


def _pictures(folder: Path, frames: list[np.ndarray], mask: np.ndarray) -> None:
    """frames, photo.jpg, first.png, and jobs.csv, which tells of two of these."""
    (folder / "frames").mkdir()
    for number, frame in enumerate(frames):
        for kind in ("jpg", "png"):
            Image.fromarray(frame).save(folder / "frames" / f"{number:05d}.{kind}")
    shutil.copy(folder / "frames" / "00000.jpg", folder / "photo.jpg")
    write_palette_png(folder / "first.png", mask)
    (folder / "jobs.csv").write_text("video,masks\nclip.mp4,first.png\n")


def _own_clips(folder: Path) -> None:
    """my-clips and DATASET: one clip; masks: predictions for it; stills: its frames."""
    names = sorted(path.stem for path in (folder / "frames").glob("*.jpg"))
    for root in ("my-clips/kitchen/{}s", "DATASET/kitchen/{}s", "stills/cups/{}s"):
        pictures = folder / root.format("image" if root.startswith("stills") else "frame")
        shutil.copytree(folder / "frames", pictures, ignore=shutil.ignore_patterns("*.png"))
        (folder / root.format("mask")).mkdir()
        for name in names:
            shutil.copy(folder / "first.png", folder / root.format("mask") / f"{name}.png")
    shutil.copytree(folder / "my-clips/kitchen/masks", folder / "masks/kitchen")


def _davis(made: Path) -> None:
    """With every list and resolution that the pages name."""
    for split in ("train", "test-dev"):
        shutil.copy(made / "ImageSets/2017/val.txt", made / f"ImageSets/2017/{split}.txt")
    shutil.copytree(made / "ImageSets/2017", made / "ImageSets/2016")
    for kind in ("JPEGImages", "Annotations"):
        shutil.copytree(made / kind / "480p", made / kind / "Full-Resolution")


def _youtube(made: Path, exported: Path) -> None:
    """The video under some names, two for each category: as train, valid and valid_all_frames."""
    [[name, video]] = json.loads((exported / "meta.json").read_text())["videos"].items()
    objects = video["objects"].items()
    meta = {f"{k}{n}": {"objects": {id: {**a, "category": k} for id, a in objects}} for k in KINDS for n in (1, 2)}
    for split, videos in (("train", list(meta)), ("valid", list(meta)[:2])):
        for number in videos:
            for kind in ("JPEGImages", "Annotations"):
                shutil.copytree(exported / kind / name, made / split / kind / number)
        (made / split / "meta.json").write_text(json.dumps({"videos": {number: meta[number] for number in videos}}))
    for masks in (made / "valid" / "Annotations").iterdir():
        for later in sorted(masks.iterdir())[1:]:
            later.unlink()
    shutil.copytree(made / "valid" / "JPEGImages", made / "valid_all_frames" / "JPEGImages")


def _project(folder: Path, frames: list[np.ndarray], mask: np.ndarray) -> None:
    """Of the page, marked on its first frame."""
    height, width = mask.shape
    made = Project(folder, Record("walk", "2026", state="ready", kind="images", width=width, height=height, total=3))
    for name in ("frames", "small", "source", "source/images"):
        (made.folder / name).mkdir()
    for number in DISCS:
        made.add_object(f"object {number}", None, number)
    for index, frame in enumerate(frames):
        write_frame(made, index, frame)
        Image.fromarray(frame).save(made.source / "images" / f"{index:06d}.png")
    made.masks.give(0, mask)


def _weights(folder: Path) -> None:
    """mine.safetensors: the shipped ones, as after a step of training. base.safetensors: as of another network."""
    with safe_open(WEIGHTS, "pt") as shipped:
        tensors = {name: shipped.get_tensor(name) for name in shipped.keys()}  # noqa: SIM118, it is no dict
        about = shipped.metadata()
    changed = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[changed] = tensors[changed] * 1.01
    save_file(tensors, folder / "mine.safetensors", about)
    about = {key: value.replace('"camn-mobile"', '"camn-base"') for key, value in about.items()}
    save_file(tensors, folder / "base.safetensors", about)
