"""Every parser, on damaged files and odd values: a CamnError with a sentence, or an answer; never anything else."""

import contextlib
import json
import shutil
import tomllib
import zipfile
from pathlib import Path

import annotations
import pytest
from corpus import RECIPE, SIZE, coco, fuzzed
from damage import as_json, as_toml, damaged, other_value

from camn import weights
from camn.api import check_data
from camn.checkpoints.state_dicts import read_state
from camn.cluster.manifest import read_jobs
from camn.config import FusionConfig, config_from_dict, network_preset
from camn.datasets.holdout import Holdout, HoldoutOptions, read_holdout, write_holdout
from camn.errors import CamnError
from camn.masks import read_masks
from camn.model.fusion import Fusion
from camn.projects.problem import Problem
from camn.projects.record import Record
from camn.training.recipe import load_stages
from camn.web.limits import Limits
from camn.web.zips import unpack

ODD_NAMES = (
    "00000.png", "1.png", "a b.PNG", "frame_0.png", ".png", "..png", "9" * 60 + ".png", "-1.png", "1e5.png", "café.png",
    "cafe\u0301_1.png", "٣.png", "0x10.png", "²1.png", "00001.txt", "mask.1.png", "\udce9.png",
)  # fmt: skip
NAMES = ["00000", "00001", "00002"]
ANNOTATIONS = annotations.made()


def says(call, *given) -> None:
    """An answer, or an error of ours that says something."""
    try:
        call(*given)
    except (CamnError, Problem) as error:
        assert str(error).strip()


def masks(source) -> None:
    found = read_masks(source, NAMES, SIZE)
    assert all(mask.shape == SIZE and mask.any() for mask in found.masks.values())
    assert all(0 <= frame < len(NAMES) for frame in found.masks)


@fuzzed(150)
def test_coco_of_odd_values(rng, place):
    Path("odd.json").write_bytes(as_json(other_value(coco(), rng)))
    says(masks, "odd.json")


@pytest.mark.parametrize("name", ["grey.png", "rgb.tif", "coco.json", "masks/00000.png"])
@fuzzed(60)
def test_damaged_masks(rng, name, valid, place):
    target = Path(f"odd{Path(name).suffix}")
    target.write_bytes(damaged((valid / name).read_bytes(), rng, (valid / "frames/00000.png").read_bytes()))
    says(masks, target)


@fuzzed(150)
def test_annotations_of_odd_values(rng, place):
    name = rng.choice([*annotations.DOCUMENTS])
    Path("odd.json").write_bytes(as_json(other_value(annotations.DOCUMENTS[name](), rng)))
    says(masks, "odd.json")


@fuzzed(250)
def test_damaged_annotations(rng, place):
    name = rng.choice([*ANNOTATIONS])
    Path(f"odd{Path(name).suffix}").write_bytes(damaged(ANNOTATIONS[name], rng))
    says(masks, f"odd{Path(name).suffix}")


@fuzzed(20)
def test_folders_of_masks_by_odd_names(rng, valid, place):
    folder = Path("masks")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in rng.sample(ODD_NAMES, rng.randint(1, 6)):
        with contextlib.suppress(OSError):
            shutil.copy(valid / "masks" / f"0000{rng.randrange(3)}.png", folder / name)
    says(masks, folder)
    says(masks, sorted(folder.iterdir()))


@fuzzed(100)
def test_manifests(rng, valid, place):
    line = json.loads((valid / "jobs.jsonl").read_text().split("\n")[0])
    Path("a.jsonl").write_bytes(as_json(other_value(line, rng)))
    Path("b.csv").write_bytes(damaged((valid / "jobs.csv").read_bytes(), rng, b'";\t\r\n,,"\xff'))
    Path("c.parquet").write_bytes(damaged((valid / "jobs.csv").read_bytes(), rng))
    for name in ("a.jsonl", "b.csv", "c.parquet"):
        says(read_jobs, name)


@fuzzed(100)
def test_recipes(rng, place):
    odd = other_value(RECIPE, rng)
    data = as_toml(odd) if isinstance(odd, dict) else b""
    Path("odd.toml").write_bytes(damaged(data, rng) if rng.random() < 0.25 else data)
    says(load_stages, "odd.toml")


def test_the_recipe_that_is_made_odd_is_one(place):
    Path("own.toml").write_bytes(as_toml(RECIPE))
    assert tomllib.loads(Path("own.toml").read_text())["clips"]["appearance"] == {"noise": 0.1}
    assert load_stages("own.toml")[0].clips.size == (65, 65)


FUSION = FusionConfig(("camn-mobile", "mine"))


@fuzzed(12)
def test_weights(rng, valid, place):
    joining = Path("fusion.safetensors")
    weights.write(joining, FUSION, Fusion(FUSION).state_dict(), half=False)
    for source, read in ((weights.find("camn-mobile"), weights.read), (joining, weights.read_fusion)):
        data = source.read_bytes()
        length = 8 + int.from_bytes(data[:8], "little")
        head = damaged(data[:length], rng)  # the numbers are only numbers
        Path("odd.safetensors").write_bytes(head + data[length:] if rng.random() < 0.7 else head)
        says(read, Path("odd.safetensors"))


@fuzzed(60)
def test_checkpoints(rng, valid, place):
    for name in ("old.pth", "grey.png", "coco.json", "clip.mp4"):
        Path("odd.pth").write_bytes(damaged((valid / name).read_bytes(), rng))
        says(read_state, "odd.pth")


@fuzzed(60)
def test_configurations(rng):
    for config in (network_preset("camn-mobile"), network_preset("stm-mobile")):
        says(config_from_dict, other_value(json.loads(json.dumps(config.as_dict())), rng))
    says(FusionConfig.from_dict, other_value(json.loads(json.dumps(FUSION.as_dict())), rng))


@fuzzed(60)
def test_records_of_projects_and_of_splits(rng, place):
    record = {
        "program": "camn", "format": 1, "name": "a", "created": "2026-01-01T00:00:00", "state": "ready", "notes": [],
        "kind": "video", "width": 4, "height": 4, "fps": "24", "total": 3, "last_id": 1, "propagation": None,
        "objects": [{"id": 1, "name": "a", "colour": "#ff0000"}],
    }  # fmt: skip
    Path("project.json").write_bytes(as_json(other_value(record, rng)))
    says(Record.read, Path("project.json"))
    write_holdout("split.json", Holdout(HoldoutOptions(), "0" * 64, ("cat",), ("a",), ("b",)))
    Path("split.json").write_bytes(as_json(other_value(json.loads(Path("split.json").read_bytes()), rng)))
    says(read_holdout, "split.json")


@fuzzed(60)
def test_zips(rng, valid, place):
    shutil.rmtree("in", ignore_errors=True)
    with zipfile.ZipFile("own.zip", "w") as made:
        for index in range(2):
            name = rng.choice((f"{index}.png", f"../{index}.png", f"/a/{index}.png", f"C:\\{index}.png", "a\nb.png"))
            made.write(valid / f"frames/0000{index}.png", name)
    Path("odd.zip").write_bytes(
        damaged(Path("own.zip").read_bytes(), rng) if rng.random() < 0.7 else Path("own.zip").read_bytes()
    )
    says(unpack, Path("odd.zip"), place / "in" / "frames", Limits(), lambda done: None)
    made_here = {path.relative_to(place).parts[0] for path in place.rglob("*")}
    assert made_here <= {"own.zip", "odd.zip", "in"}
    assert all(path.stem.isdigit() for path in (place / "in" / "frames").glob("*"))


@fuzzed(20)
def test_data_sets(rng, valid, place):
    shutil.rmtree("DAVIS", ignore_errors=True)
    shutil.copytree(valid / "DAVIS", "DAVIS")
    files = sorted(path for path in Path("DAVIS").rglob("*") if path.is_file())
    for path in rng.sample(files, 2):
        act = rng.randrange(3)
        if act == 0:
            path.unlink()
        elif act == 1:
            path.write_bytes(damaged(path.read_bytes(), rng))
        else:
            path.rename(path.with_name(rng.choice(["x.png", "00007.png", "\udce9.jpg", "a.txt", "00001.tif"])))
    says(lambda: check_data(Path("DAVIS")).text())
