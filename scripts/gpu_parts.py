"""What goes to and comes from a GPU machine in small files, for gpu_run.py: packs of data, a training run's state."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PART = 15 << 20  # bytes of a file
NAME = re.compile(r"last\.([0-9a-f]{12})\.(\d+)-of-(\d+)\.pt")


def unpack(packs: Sequence[Path] | None, data: Path, rehearse: bool = False) -> dict[str, Any]:
    """One pack or several into one folder, which may hold what a former call unpacked. A rehearsal can make one."""
    found = list(packs or sorted([*ROOT.glob("pack*.tar.gz"), *ROOT.parent.glob("pack*.tar.gz")]))
    if rehearse and not found:
        found = [little_pack(data.parent / "pack.tar.gz")]
    if not found and not data.is_dir():
        raise FileNotFoundError(f"no pack*.tar.gz in {ROOT} or beside it: make one by make_pack.py, or give --pack")
    for pack in found:
        with tarfile.open(pack) as tar:
            tar.extractall(data, filter="data")
    files = sum(1 for file in data.rglob("*") if file.is_file())
    return {"packs": [str(pack) for pack in found], "files": files}


def little_pack(path: Path) -> Path:
    """A pack as make_pack.py makes them, of made pictures."""
    import cv2

    from camn.speed.discs import moving_discs

    folder = path.parent / "made"
    davis, stills = folder / "davis2016-train", folder / "stills/discs"
    (davis / "ImageSets/2016").mkdir(parents=True)
    (davis / "ImageSets/2016/train.txt").write_text("discs\n")
    places = davis / "JPEGImages/480p/discs", davis / "Annotations/480p/discs", stills / "images", stills / "masks"
    for place in places:
        place.mkdir(parents=True)
    for index, (frame, mask) in enumerate(moving_discs(8, 120, 160, 2)):
        for pictures, masks in (places[:2], places[2:]):
            cv2.imwrite(str(pictures / f"{index:05d}.webp"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            cv2.imwrite(str(masks / f"{index:05d}.png"), mask)
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for child in sorted(folder.iterdir()):
            tar.add(child, child.name)
    return path


def split(file: Path, out: Path, size: int = PART) -> list[str]:
    """Copies `file` into parts of at most `size` bytes, named by its hash, number and count; then older parts go."""
    content = file.read_bytes()
    digest, count = hashlib.sha256(content).hexdigest()[:12], max(1, -(-len(content) // size))
    names = [f"last.{digest}.{number}-of-{count}.pt" for number in range(1, count + 1)]
    for number, name in enumerate(names):
        part = out / f".{name}.part"
        part.write_bytes(content[number * size : (number + 1) * size])
        os.replace(part, out / name)
    for old in out.glob("last.*-of-*.pt"):
        if old.name not in names:
            old.unlink()
    return names


def join(folder: Path) -> bytes | None:
    """The content of the newest file of which all parts are there and right; None where there is none."""
    found: dict[tuple[str, str], dict[int, Path]] = {}
    for path in folder.glob("last.*-of-*.pt"):
        if match := NAME.fullmatch(path.name):
            found.setdefault((match[1], match[3]), {})[int(match[2])] = path
    whole = [(parts, key) for key, parts in found.items() if len(parts) == int(key[1])]
    for parts, (digest, _) in sorted(whole, key=lambda one: one[0][1].stat().st_mtime, reverse=True):
        content = b"".join(parts[number].read_bytes() for number in sorted(parts))
        if hashlib.sha256(content).hexdigest()[:12] == digest:
            return content
    return None


def run_name(start: Path | None) -> str:
    """Of the folder of a run: those with weights of their own to begin with have one each."""
    return f"run-{hashlib.sha256(start.read_bytes()).hexdigest()[:12]}" if start else "run"


def bring(resume: Path | None, out: Path | None, run: Path) -> dict[str, Any]:
    """Into the folder `run` the state that a former call put into `resume`; without that what lies there stays, and if
    there is nothing it comes from `out`."""
    run.mkdir(parents=True, exist_ok=True)
    if resume is None and (run / "last.pt").exists():
        return {"from": str(run), "step": steps_in(run)}
    source = resume or out
    if source is None:
        return {"from": None}
    content = join(source)
    if content is None:
        if any(source.glob("last.*-of-*.pt")):
            raise ValueError(f"{source}: parts of the checkpoint are missing or damaged; fetch them all, or none")
        if resume:
            raise FileNotFoundError(f"{source}: holds no checkpoint, last.HASH.N-of-M.pt")
        return {"from": None}
    (run / "last.pt").write_bytes(content)
    if (log := source / "log.jsonl").exists():
        shutil.copyfile(log, run / "log.jsonl")
    return {"from": str(source), "step": steps_in(run)}


def steps_in(run: Path) -> int:
    """How far the run has come by its checkpoint."""
    import torch

    file = run / "last.pt"
    return torch.load(file, map_location="cpu", weights_only=True)["step"] if file.exists() else 0


def keep(run: Path, out: Path) -> dict[str, Any]:
    """What is worth keeping of a run, as of its last checkpoint, into `out`. -> facts for the report."""
    import torch

    from camn import weights
    from camn.config import network_preset

    file = run / "last.pt"
    if not file.exists():
        return {}
    state = torch.load(file, map_location="cpu", weights_only=True)
    recipe = state["recipe"]
    notes = {"recipe": {"name": recipe["name"], "steps": recipe["steps"]}, "step": state["step"], "by": "gpu_run.py"}
    for name, key in (("ema", "ema"), ("raw", "network")):
        weights.write(out / f"{name}.safetensors", network_preset(recipe["model"]), state[key], notes)
    if (log := run / "log.jsonl").exists():
        shutil.copyfile(log, out / "log.jsonl")
    return {"checkpoint": split(file, out), "checkpoint_step": state["step"]}
