"""A fusion network for an ensemble: its members' answers on training clips kept on disk, then trained on these."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from camn import weights
from camn.api.models.assemble import assemble
from camn.api.models.load import cpu_threads
from camn.api.options import Notice, Progress, Report, Setup, named
from camn.api.train.options import FuseOptions
from camn.clips.dataset import Appearance, ClipDataset, ClipOptions, ClipSample
from camn.config import FusionConfig, InferenceConfig, PostProcess
from camn.datasets.layouts import open_videos
from camn.datasets.stills import StillsFolder
from camn.errors import ConfigError, OutputError
from camn.files import alone, writing
from camn.inference import Ensemble, resolve_device
from camn.inference.calls import own_settings
from camn.media.outputs import write_json
from camn.training.fusing import FusionTraining, Sample, train_fusion

# As hard as what `camn-mobile` was trained on last: on easy clips all members are right.
HARD = ClipOptions(
    paste=0.35,
    twin=0.0,
    track=0.3,
    alike=0.35,
    part=0.1,
    bars=0.12,
    smear=0.15,
    zoom=0.12,
    perspective=0.08,
    still_scale=(0.6, 1.5),
    video_scale=(0.8, 2.0),
    appearance=Appearance(ramp=0.12, dark=0.05, noise=0.1),
)


@dataclass(frozen=True)
class Fused:
    """weights: the file. samples: frames it was trained on. loss, mean: over the last hundred steps, of the network and
    of the members' mean on the same crops."""

    weights: Path
    samples: int
    loss: float
    mean: float


@own_settings(inference=False)
def fuse(
    model: Sequence[str | Path],
    out: str | Path,
    *,
    videos: str | Path | Sequence[str | Path] = (),
    stills: str | Path | None = None,
    year: str = "",
    split: str = "",
    device: str = "auto",
    threads: int | None = None,
    options: FuseOptions | None = None,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
    **changes: Any,
) -> Fused:
    """Train the network that joins these models' answers, in the folder `out`: OUT/answers/ (what the members found,
    kept for another try) and OUT/fusion.safetensors, which `join` takes. The members stay as they are.

    videos, stills, year, split: as in training recipes. changes: fields of `FuseOptions`, in place of those of
    `options`. Answers that lie there already, of the same models and options, are used; others are refused.
    Raises ConfigError, CheckpointError, DataError, TrainingError, OutputError.
    """
    options, folder = dataclasses.replace(options or FuseOptions(), **changes), Path(out)
    read = [weights.read(one) for one in named(model)]
    names = tuple(one.config.name for one in read)
    if len(set(names)) < len(names):
        raise ConfigError(f"fuse: {', '.join(names)}: each network may be a member once")
    config = FusionConfig(names)
    data = _clips(videos, stills, year, split, options)
    hashes = [one.sha256 for one in read]
    key = {"members": hashes, "options": dataclasses.asdict(options) | {"steps": 0}, "split": [year, split]}
    with alone(folder), cpu_threads(threads):
        _check_answers(folder / "answers", json.loads(json.dumps(key)))
        setup = Setup(
            InferenceConfig(short_side=options.size, max_side=options.size), options.ensemble(), post=PostProcess.off()
        )
        ensemble = assemble(read, resolve_device(device), setup, notice)
        assert isinstance(ensemble, Ensemble)
        files = answers(ensemble, data, folder / "answers", progress)
        losses: list[tuple[float, float]] = []
        begun = time.monotonic()

        def report(line: dict[str, Any]) -> None:
            losses.append((line["loss"], line["mean"]))
            note = f"loss {line['loss']:.4f}, of the mean {line['mean']:.4f}"
            progress(Progress(line["step"], options.steps, time.monotonic() - begun, note))

        network = train_fusion(config, files, FusionTraining(steps=options.steps, seed=options.seed), report)
        path = folder / "fusion.safetensors"
        loss, mean = (float(np.mean(values[-100:])) for values in zip(*losses))
        notes = {"members_sha256": hashes, "options": dataclasses.asdict(options), "loss": round(loss, 5)}
        weights.write(path, config, network.state_dict(), notes | {"mean_loss": round(mean, 5)}, half=False)
        return Fused(path, len(files), loss, mean)


def _clips(
    videos: str | Path | Sequence[str | Path], stills: str | Path | None, year: str, split: str, options: FuseOptions
) -> ClipDataset:
    if options.kinds and not stills:
        raise ConfigError(f"fuse: kinds {', '.join(options.kinds)} are folders of stills; say where with --stills")
    folders = named(videos)
    sequences = [sequence for root in folders for sequence in open_videos(root, split, year).sequences]
    pictures = StillsFolder(stills) if stills else None
    size = (options.size, options.size)
    clips = replace(HARD, size=size, frames=options.frames, gap=options.gap, video_share=options.video_share)
    if pictures and options.kinds:
        known = dict.fromkeys(still.kind for still in pictures.stills)
        if unknown := [kind for kind in options.kinds if kind not in known]:
            raise ConfigError(f"fuse: {stills} holds no kind {unknown[0]!r}; its kinds are {', '.join(known)}")
        clips = replace(clips, weights=tuple((kind, float(kind in options.kinds)) for kind in known))
    return ClipDataset(sequences or None, pictures, clips, seed=options.seed, length=options.clips)


def _check_answers(folder: Path, key: dict[str, Any]) -> None:
    """Answers of other members or options would be mixed with these. Raises OutputError."""
    record = folder / "answers.json"
    try:
        found = json.loads(record.read_bytes()) if record.exists() else key
    except ValueError:
        found = None
    if found != key or (folder.is_dir() and not record.exists() and any(folder.iterdir())):
        raise OutputError(f"{folder}: holds answers of other models or options; remove it, or choose another folder")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(record, key)


def answers(
    ensemble: Ensemble, data: ClipDataset, folder: Path, progress: Report = lambda progress: None
) -> list[Path]:
    """Run the members over every clip, joined by their mean, and write a `Sample` for each frame but the first:
    FOLDER/CLIP-FRAME.npz. Clips whose files are all there are left as they are. -> all files. Raises OutputError."""
    files, started, first = [], time.monotonic(), None
    for number in range(len(data)):
        made = [folder / f"{number:05d}-{t}.npz" for t in range(1, data.options.frames)]
        files += made
        if all(file.exists() for file in made):
            continue
        first = number if first is None else first
        for file, sample in zip(made, _run(ensemble, data[number])):
            sample.write(file)
        progress(Progress(number + 1, len(data), time.monotonic() - started, "members' answers", first))
    return files


def _run(ensemble: Ensemble, clip: ClipSample) -> list[Sample]:
    found: list[Tensor] = []

    def mean(frame: np.ndarray, maps: Tensor) -> Tensor:
        found.append(maps)
        return maps.mean(0)

    ensemble.join = mean
    frames = [np.ascontiguousarray(frame) for frame in clip.frames.permute(0, 2, 3, 1).numpy()]
    labels = clip.labels.numpy()
    ensemble.start(frames[0], np.where(labels[0] == 255, 0, labels[0]))
    samples = []
    for frame, truth in zip(frames[1:], labels[1:]):
        ensemble.step(frame)
        samples.append(Sample(frame, truth, found.pop().cpu().numpy().astype(np.float16)))
    return samples
