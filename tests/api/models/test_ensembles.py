"""Several models and views through Python and the commands, fusion networks, the ablation; small, weights of chance."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import camn
from camn import api, cli, weights
from camn.arguments import gathered, said_preset
from camn.config import FusionConfig, InferenceConfig, PostProcess, StmConfig, preset
from camn.errors import CheckpointError, ConfigError, DataError, OutputError
from camn.inference import Ensemble, Result, Segmenter
from camn.inference.segmenter import Prediction
from camn.masks import write_palette_png
from camn.model.fusion import Fusion
from camn.model.network import Camn
from camn.model.stm import Stm

SIZE = (48, 64)
STM = StmConfig("small-stm", blocks=(1, 1, 1), planes=8, key_channels=8, value_channels=16, width=16)
QUICK = {"short_side": 48, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights.write(folder / "camn.safetensors", preset("camn-mobile"), Camn(preset("camn-mobile")).state_dict())
        weights.write(folder / "stm.safetensors", STM, Stm(STM).state_dict())
    return str(folder / "camn.safetensors"), str(folder / "stm.safetensors")


def ids_of(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[8 + index : 28 + index, 6:30] = 1
    ids[10:36, 36 + index : 56 + index] = 2
    return ids


def make_davis(root: Path, sequences=("a", "b"), frames: int = 5) -> Path:
    for name in sequences:
        for folder in ("JPEGImages", "Annotations"):
            (root / folder / "480p" / name).mkdir(parents=True)
        for index in range(frames):
            ids = ids_of(index)
            image = np.stack([60 + 90 * ids, 200 - 60 * ids, 90 + ids], -1).astype(np.uint8)
            Image.fromarray(image).save(root / "JPEGImages" / "480p" / name / f"{index:05d}.jpg")
            write_palette_png(root / "Annotations" / "480p" / name / f"{index:05d}.png", ids)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    for split, names in (("train", sequences[:1]), ("val", sequences[1:])):
        (root / "ImageSets" / "2017" / f"{split}.txt").write_text("\n".join(names) + "\n")
    return root


@pytest.fixture
def clip(tmp_path) -> Path:
    davis = make_davis(tmp_path / "davis")
    return davis / "JPEGImages" / "480p" / "b"


def first_mask(clip: Path) -> Path:
    return clip.parents[2] / "Annotations" / "480p" / clip.name / "00000.png"


def masks_of(out: Path) -> list[np.ndarray]:
    return [np.array(Image.open(path)) for path in sorted((out / "masks").iterdir())]


# --- the main job ----------------------------------------------------------------------------------------------------


def test_a_video_by_two_models_and_four_views(models, clip, tmp_path):
    said: list[str] = []
    options = {"model": models, "scales": (1.0, 1.3), "flip": True, "overlay": False, **QUICK}
    done = camn.segment_video(clip, first_mask(clip), tmp_path / "out", notice=said.append, **options)
    assert done.frames == 5 and done.ids == (1, 2)
    assert any("2 models x 4 views: about 10.8 times the work of one" in note for note in said)
    camn.load(models[0], "cpu", short_side=48, backend="eager", scales=(1.0, 1.3), notice=said.append)
    assert "2 views: about 2.7 times the work of one" in said
    record = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert [one["name"] for one in record["models"]] == ["camn-mobile", "small-stm"]
    assert record["model"] == record["models"][0] and record["options"]["scales"] == [1.0, 1.3]
    assert np.array_equal(masks_of(tmp_path / "out")[0], ids_of(0))
    # The same by the streaming interface.
    segmenter = camn.load(models, "cpu", short_side=48, backend="eager", scales=(1.0, 1.3), flip=True)
    assert isinstance(segmenter, Ensemble)
    frames = [np.array(Image.open(path)) for path in sorted(clip.iterdir())]
    results = [segmenter.start(frames[0], ids_of(0)), *(segmenter.step(frame) for frame in frames[1:])]
    assert all(np.array_equal(r.ids, ids) for r, ids in zip(results, masks_of(tmp_path / "out")))


def test_one_model_at_scale_one_is_a_plain_segmenter(models):
    plain = {"short_side": 48, "post": PostProcess.off()}
    assert isinstance(camn.load(models[0], "cpu", **plain), Segmenter)
    assert isinstance(camn.load(models[0], "cpu", InferenceConfig(short_side=48)), Segmenter)
    assert isinstance(camn.load(models[0], "cpu", scales=(1.5,), **plain), Ensemble)
    assert isinstance(camn.load(models[0], "cpu", short_side=48), Ensemble)  # which post-processes
    model = api.open_model(api.SegmentOptions(model=models, **QUICK))
    assert model.serves(api.SegmentOptions(model=models, **QUICK))
    assert not model.serves(api.SegmentOptions(model=models, **QUICK | {"flip": True}))  # type: ignore[arg-type]
    assert not model.serves(api.SegmentOptions(model=models[:1], **QUICK))
    one, two = model.segmenter(), model.segmenter()
    one.start(np.zeros((*SIZE, 3), np.uint8), ids_of(0))
    assert two.index == -1 and one.index == 0


def test_a_binary_array_is_object_1(models, clip):
    ensemble = camn.load(models[0], "cpu", short_side=48, backend="eager", flip=True)
    frame = np.array(Image.open(sorted(clip.iterdir())[0]))
    binary = np.where(ids_of(0) == 1, 255, 0).astype(np.uint8)
    assert np.array_equal(ensemble.start(frame, binary).ids, binary // 255) and tuple(ensemble.objects) == (1,)
    assert np.array_equal(ensemble.correct(binary).ids, binary // 255)
    assert np.array_equal(ensemble.start(frame, binary, [255]).ids, binary)


def test_the_command(models, clip, tmp_path):
    """--model repeated, and the masks those of Python."""
    arguments = [str(clip), "--masks", str(first_mask(clip)), "--out", "out", "--model", models[0], "--flip"]
    arguments += ["--model", models[1], "--short-side", "48", "--no-overlay", "--backend", "eager", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "camn.cli", "segment", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "2 models x 2 views" in done.stdout
    camn.segment_video(clip, first_mask(clip), tmp_path / "py", model=models, flip=True, overlay=False, **QUICK)
    assert all(np.array_equal(a, b) for a, b in zip(masks_of(tmp_path / "out"), masks_of(tmp_path / "py"), strict=True))


def test_evaluation_by_an_ensemble(models, clip, tmp_path):
    root = clip.parents[2]
    done = api.evaluate(root, model=models, flip=True, out=tmp_path / "scored", report=tmp_path / "r.html", **QUICK)
    assert done.scores is not None and done.frames == 5
    assert json.loads((tmp_path / "scored" / "scores.json").read_bytes())["model"] == list(models)
    assert "camn.safetensors + " in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"model": ()}, "give one or more"),
        ({"weights": (1.0, 1.0, 1.0)}, "3 weights for 2 models"),
        ({"join": "fusion"}, "no fusion network is shipped for these models"),
        ({"join": "there/is/none.safetensors"}, "no such fusion file"),
        ({"scales": (1.0, 7.0)}, "from 0.2 to 4"),
        ({"post": {"track_lots": True}}, "unknown option 'track_lots'"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(models, clip, tmp_path, changes, said):
    with pytest.raises((ConfigError, CheckpointError), match=said):
        camn.segment_video(clip, first_mask(clip), tmp_path / "out", **{"model": models} | QUICK | changes)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="unknown option 'sizes'; the options are .*scales"):
        camn.load(models[0], sizes=(1, 2))


# --- presets and arguments -------------------------------------------------------------------------------------------


def test_presets():
    assert api.preset_options() == api.SegmentOptions()
    best = api.preset_options("best")
    assert best.scales == (1.0, 1.3) and best.post.enabled and best.model == ("camn-mobile",)
    assert best.setup().ensemble.cost() <= 8  # times the default's work
    with pytest.raises(ConfigError, match="default, best"):
        api.preset_options("better")  # type: ignore[arg-type]


def test_what_is_shipped_is_small():
    shipped = (*weights.shipped().values(), *weights.shipped_clicks().values(), *weights.shipped_fusions())
    assert sum(path.stat().st_size for path in shipped) <= 40e6


def test_options_go_before_a_presets_own(capsys):
    with pytest.raises(SystemExit):
        cli.main(["segment", "--preset", "best", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "(default: 1.0 1.3)" in told
    with pytest.raises(SystemExit):
        cli.main(["segment", "--help"])
    assert "(default: 1.0)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "given, expected",
    [
        ("segment v --model a --flip --model b", "segment v --model a b --flip"),
        ("segment v --model a b --flip --model=c", "segment v --model a b c --flip"),
        ("segment v --flip", "segment v --flip"),
        ("--model a", "--model a"),
    ],
)
def test_repeated_flags_are_gathered(given, expected):
    assert gathered(given.split(), "--model") == expected.split()


def test_the_preset_is_found():
    assert said_preset(["segment", "--preset", "best"]) == said_preset(["--preset=best", "x"]) == "best"
    assert said_preset(["--preset", "nonsense"]) == said_preset(["--preset"]) == said_preset([]) == "default"


# --- fusion networks -------------------------------------------------------------------------------------------------


def test_cached_answers_are_those_of_the_members_live_and_so_is_their_fusion(models, clip, tmp_path):
    """What the fusion network is trained on is what it meets: files on disk against the ensemble as it runs."""
    root = clip.parents[2]
    done = api.fuse(
        models,
        tmp_path / "fused",
        videos=root,
        split="train",
        device="cpu",
        threads=1,
        clips=3,
        frames=3,
        size=49,
        steps=4,
        feedback="own",
    )
    files = sorted((tmp_path / "fused" / "answers").glob("*.npz"))
    assert done.samples == len(files) == 6 and np.isfinite([done.loss, done.mean]).all()
    plain = {"short_side": 49, "max_side": 49, "backend": "eager", "post": PostProcess.off()}
    live = camn.load(models, "cpu", feedback="own", join=str(done.weights), **plain)
    assert isinstance(live, Ensemble)
    read = weights.read_fusion(done.weights)
    network = Fusion(read.config)
    network.load_state_dict(read.state)
    from camn.api.train.fuse import _clips
    from camn.api.train.options import FuseOptions

    data = _clips(root, None, "", "train", FuseOptions(clips=3, frames=3, size=49, steps=4, feedback="own"))
    for number in range(3):
        sample = data[number]
        frames, labels = sample.frames.permute(0, 2, 3, 1).numpy(), sample.labels.numpy()
        live.start(np.ascontiguousarray(frames[0]), np.where(labels[0] == 255, 0, labels[0]))
        for t in (1, 2):
            result = live.step(np.ascontiguousarray(frames[t]))
            cached = np.load(tmp_path / "fused" / "answers" / f"{number:05d}-{t}.npz")
            assert np.array_equal(cached["image"], frames[t]) and np.array_equal(cached["labels"], labels[t])
            np.testing.assert_allclose(cached["maps"], live.member_maps().numpy(), atol=1e-3)
            with torch.no_grad():
                image = torch.from_numpy(cached["image"]).permute(2, 0, 1).float() / 255
                joined = network(image, torch.from_numpy(cached["maps"]).float())
            torch.testing.assert_close(joined, result._probabilities, atol=2e-3, rtol=0)


def test_answers_to_fuse_are_those_of_members_that_go_on_from_their_mean(models, clip, tmp_path):
    """The oracle: one segmenter for each member, told on every frame that it had found the mean of both."""
    from camn.api.train.fuse import _clips
    from camn.api.train.options import FuseOptions

    options = FuseOptions(clips=2, frames=4, size=49, steps=1)
    root = clip.parents[2]
    api.fuse(models, tmp_path, videos=root, split="train", device="cpu", threads=1, options=options)
    data = _clips(root, None, "", "train", options)
    members = [camn.load(one, "cpu", InferenceConfig(short_side=49, max_side=49)) for one in models]
    for number in range(2):
        frames, labels = data[number].frames.permute(0, 2, 3, 1).numpy(), data[number].labels.numpy()
        for one in members:
            one.start(np.ascontiguousarray(frames[0]), np.where(labels[0] == 255, 0, labels[0]))
        for t in (1, 2, 3):
            found = [one.predict(np.ascontiguousarray(frames[t])) for one in members]
            with np.load(tmp_path / "answers" / f"{number:05d}-{t}.npz") as cached:
                for maps, one in zip(cached["maps"], found, strict=True):
                    np.testing.assert_allclose(maps, one.probabilities.numpy(), atol=2e-3)
            joint = torch.stack([one.probabilities for one in found]).mean(0)
            answer = Result.of(t, members[0].objects, joint, (49, 49))
            doubtful = members[0].doubts(answer)
            for one, mine in zip(members, found, strict=True):
                one.accept(Prediction(mine.embedding, joint), answer.ids, doubtful, answer.lost)


def test_fusing_on_stills_of_some_kinds_alone(models, tmp_path):
    for kind, colour in (("seen", 200), ("unseen", 90)):
        for folder in ("images", "masks"):
            (tmp_path / "stills" / kind / folder).mkdir(parents=True)
        picture, mask = np.full((64, 64, 3), 30, np.uint8), np.zeros((64, 64), np.uint8)
        picture[16:48, 16:48], mask[16:48, 16:48] = colour, 1
        Image.fromarray(picture).save(tmp_path / "stills" / kind / "images/a.png")
        Image.fromarray(mask).save(tmp_path / "stills" / kind / "masks/a.png")
    options = {"stills": tmp_path / "stills", "device": "cpu", "threads": 1, "size": 49, "frames": 2, "steps": 1}
    api.fuse(models, tmp_path / "f", clips=4, kinds=("unseen",), flip=True, scales=(1.0, 1.2), **options)
    from camn.api.train.fuse import _clips
    from camn.api.train.options import FuseOptions

    data = _clips((), tmp_path / "stills", "", "", FuseOptions(kinds=("unseen",), size=49, frames=2))
    assert all("unseen" in data[number].source for number in range(12))
    with pytest.raises(ConfigError, match="holds no kind 'cats'; its kinds are seen, unseen"):
        api.fuse(models, tmp_path / "g", kinds=("cats",), **options)
    with pytest.raises(ConfigError, match="kinds cats are folders of stills; say where with --stills"):
        api.fuse(models, tmp_path / "g", kinds=("cats",), videos=tmp_path, device="cpu")


def test_fusing_goes_on_with_the_answers_there_and_refuses_others(models, clip, tmp_path):
    options = {"videos": clip.parents[2], "split": "train", "device": "cpu", "threads": 1, "size": 49, "frames": 2}
    first = api.fuse(models, tmp_path / "f", clips=2, steps=2, **options)
    made = tmp_path / "f" / "answers" / "00001-1.npz"
    before, trained = made.stat().st_mtime_ns, weights.read_fusion(first.weights)
    (tmp_path / "f" / "answers" / "00000-1.npz").unlink()
    again = api.fuse(models, tmp_path / "f", clips=2, steps=2, **options)
    assert made.stat().st_mtime_ns == before and weights.read_fusion(again.weights).notes == trained.notes
    for name, tensor in weights.read_fusion(again.weights).state.items():
        assert torch.equal(tensor, trained.state[name])
    with pytest.raises(OutputError, match="other models or options"):
        api.fuse(models, tmp_path / "f", clips=3, steps=2, **options)
    with pytest.raises(ConfigError, match="member once"):
        api.fuse((models[0], models[0]), tmp_path / "g", **options)
    with pytest.raises(ConfigError, match="two members"):
        api.fuse(models[:1], tmp_path / "g", **options)
    with pytest.raises(ConfigError, match="needs videos"):
        api.fuse(models, tmp_path / "g", device="cpu")
    with pytest.raises(DataError):
        api.fuse(models, tmp_path / "g", **options | {"split": "nowhere"})


def test_a_fusion_network_of_other_members_is_refused(models, tmp_path):
    config = FusionConfig(("camn-mobile", "another"))
    weights.write(tmp_path / "f.safetensors", config, Fusion(config).state_dict(), half=False)
    with pytest.raises(ConfigError, match="joins camn-mobile, another, not camn-mobile, small-stm"):
        camn.load(models, "cpu", join=str(tmp_path / "f.safetensors"))
    with pytest.raises(CheckpointError, match="is no fusion network"):
        camn.load(models, "cpu", join=models[0])
    with pytest.raises(CheckpointError, match="carries no camn configuration"):
        camn.load(str(tmp_path / "f.safetensors"), "cpu")


# --- the ablation ----------------------------------------------------------------------------------------------------


def test_the_ablation_in_small(clip, tmp_path):
    root = clip.parents[2]
    (tmp_path / "small.toml").write_text(
        f"""videos = "{root}"
split = "train"
frozen = ["backbone."]
batch = 1
warm_up = 0
workers = 0
steps = 1
[clips]
size = [49, 49]
frames = 2
"""
    )
    said: list[str] = []
    options = {"dataset": root, "split": "val", "device": "cpu", "threads": 1, "seeds": (1, 2), "short_side": 49}
    options |= {"rows": ("baseline", "memory-a", "views", "post"), "notice": said.append}
    done = api.ablate(tmp_path / "small.toml", tmp_path / "out", **options)
    assert {name: len(there) for name, there in done.found.items()} == {
        "baseline": 2,
        "memory-a": 2,
        "views": 1,
        "post": 2,
    }
    assert sum(note.startswith("training") for note in said) == 4  # two networks, two seeds
    table = (tmp_path / "out" / "ablation.md").read_text()
    assert "| baseline (CFBI) |" in table and "| 81.3 |" in table and "±" in table
    record = json.loads((tmp_path / "out" / "ablation.json").read_bytes())
    assert record["rows"]["views"]["1"]["jf"] == done.found["views"][1].jf
    # The row's figure is that of `evaluate` with the row's weights.
    network = tmp_path / "out" / "camn-mobile-multiply-1" / "weights.safetensors"
    how = {"short_side": 49, "device": "cpu", "threads": 1, "backend": "eager", "post": PostProcess.off()}
    alone = api.evaluate(root, split="val", model=network, **how)
    assert alone.scores is not None and alone.scores.jf == pytest.approx(done.found["memory-a"][1].jf)
    # A second run trains and measures nothing.
    said.clear()
    scores = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "scores").iterdir()}
    assert api.ablate(tmp_path / "small.toml", tmp_path / "out", **options).table == done.table
    assert not any(note.startswith("training") for note in said)
    assert scores == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "scores").iterdir()}
    with pytest.raises(ConfigError, match="unknown row 'best'"):
        api.ablate(tmp_path / "small.toml", tmp_path / "out", **options | {"rows": ("best",)})


def test_an_empty_list_of_models_is_refused():
    with pytest.raises(ConfigError, match="give one or more"):
        camn.load([], "cpu")
