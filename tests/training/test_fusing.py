"""Training of the fusion network on made answers: the member that is right differs from place to place."""

import numpy as np
import pytest
import torch

from camn.config import FusionConfig
from camn.errors import ConfigError, DataError, TrainingError
from camn.training.fusing import FusionTraining, Sample, train_fusion

CONFIG = FusionConfig(("left", "right"), width=8, image=4)


def sample(seed: int) -> Sample:
    """A disc; the frame is red where the first member sees it, blue where the second does."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :64]
    truth = ((y - chance.integers(12, 36)) ** 2 + (x - chance.integers(16, 48)) ** 2 < 144).astype(np.uint8)
    first = chance.random((6, 8)).repeat(8, 0).repeat(8, 1) < 0.5
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0], image[..., 2] = 255 * first, 255 * ~first
    wrong = np.where(truth > 0, 0.02, 0.35)
    seen = [np.where(right, np.where(truth > 0, 0.9, 0.05), wrong) for right in (first, ~first)]
    maps = np.stack([np.stack([1 - p, p]) for p in seen]).astype(np.float16)
    return Sample(image, truth, maps)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{seed}.npz" for seed in range(8)]
    for seed, path in enumerate(paths):
        sample(seed).write(path)
    return paths


def test_it_learns_whom_to_believe_where(files):
    lines = []
    plan = FusionTraining(steps=120, batch=4, side=32, rate=1e-2, seed=1)
    network = train_fusion(CONFIG, files, plan, lines.append)
    assert [line["step"] for line in lines] == list(range(1, 121))
    assert np.mean([line["loss"] for line in lines[-20:]]) < 0.5 * np.mean([line["mean"] for line in lines[-20:]])
    unseen = sample(99)
    maps = torch.from_numpy(unseen.maps).float()
    with torch.no_grad():
        found = network(torch.from_numpy(unseen.image).permute(2, 0, 1).float() / 255, maps)
    truth = torch.from_numpy(unseen.labels) > 0
    errors = [float(((p > 0.5) != truth).float().mean()) for p in (found[1], maps[:, 1].mean(0))]
    assert errors[0] < 0.4 * errors[1] and errors[1] > 0.005


def test_the_same_seed_makes_the_same_network(files):
    plan = FusionTraining(steps=3, batch=2, side=32)
    one, two = (train_fusion(CONFIG, files, plan).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_samples_come_back_from_disk_and_crops_are_of_them(tmp_path):
    made = sample(3)
    made.write(tmp_path / "new" / "a.npz")
    read = Sample.read(tmp_path / "new" / "a.npz")
    for name in ("image", "labels", "maps"):
        assert np.array_equal(getattr(read, name), getattr(made, name))
    chance = np.random.default_rng(0)
    for _ in range(20):
        crop = made.crop(chance, 32)
        assert crop.labels.shape == (32, 32) and crop.maps.shape == (2, 2, 32, 32) and crop.image.shape == (32, 32, 3)
        # Frame, truth and maps are cut alike: red tells which member is right everywhere.
        right = np.where(crop.image[..., 0] > 0, crop.maps[0, 1], crop.maps[1, 1])
        assert np.array_equal(right > 0.5, crop.labels > 0)
    assert made.crop(chance, 500).labels.shape == (48, 64)


def test_what_cannot_be_is_told(tmp_path, files):
    (tmp_path / "0.npz").write_bytes(b"PK\3\4 cut short")
    with pytest.raises(DataError, match="0.npz: no answers"):
        train_fusion(CONFIG, files[:1], FusionTraining(steps=1))
    broken = sample(1)
    Sample(broken.image, broken.labels, np.full_like(broken.maps, np.nan)).write(files[1])
    with pytest.raises(TrainingError, match="loss is nan at step 1, on .*1.npz"):
        train_fusion(CONFIG, files[1:2], FusionTraining(steps=1))
    for wrong in ({"steps": 0}, {"rate": 0.0}, {"hard": 0.0}, {"side": 3}):
        with pytest.raises(ConfigError):
            FusionTraining(**wrong)
