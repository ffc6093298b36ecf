"""The paper's ablation: every row trained (or found trained) and measured, and the table of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camn import weights
from camn.api.evaluate.run import evaluate
from camn.api.models.load import model_sha256
from camn.api.options import InferenceOptions, Notice, Report, Setup
from camn.api.train.fuse import fuse
from camn.api.train.options import STM, AblateOptions, FuseOptions
from camn.api.train.rows import MEMBERS, Measured, Row, ablation_table
from camn.api.train.run import train
from camn.config import PostProcess
from camn.errors import ConfigError
from camn.evaluation.differences import draw_differences
from camn.evaluation.sets import open_set
from camn.files import alone, encoded, write_whole
from camn.inference.calls import own_settings
from camn.media.outputs import prepare_output, write_json
from camn.speed.process import describe_machine
from camn.training.recipe import load_stages


@dataclass(frozen=True)
class Ablation:
    """found: J&F by row and seed. table: Markdown. files: what was written."""

    found: dict[str, dict[int, Measured]]
    table: str
    files: tuple[Path, ...]


@own_settings(inference=False)
def ablate(
    recipe: str | Path,
    out: str | Path,
    *,
    dataset: str | Path,
    year: str | int | None = None,
    split: str = "",
    device: str = "auto",
    threads: int | None = None,
    options: AblateOptions | None = None,
    progress: Report = lambda progress: None,
    notice: Notice = lambda note: None,
    **changes: Any,
) -> Ablation:
    """Train the network of each row by one recipe, its model and seed replaced, in OUT/MODEL-SEED, and measure it on a
    data set as `evaluate` does; write OUT/ablation.md and OUT/ablation.json anew after every figure.

    What is trained or measured there already is taken as it is, so a run that was stopped goes on where it was. Also
    written: OUT/fusion-SEED (see `fuse`), OUT/masks/ROW-SEED of the first seed, OUT/post-processing-N.png: frames that
    post-processing changed most, before and after. changes: fields of `AblateOptions`. Raises what `train`, `fuse` and
    `evaluate` raise.
    """
    options, folder = dataclasses.replace(options or AblateOptions(), **changes), prepare_output(out)
    data = {"dataset": str(dataset), "year": year, "split": split}
    work = _Work(Path(recipe), folder, options, data, device, threads, progress, notice)
    found: dict[str, dict[int, Measured]] = {row.name: {} for row in options.chosen()}
    with alone(folder):
        for row in options.chosen():
            for seed in options.seeds if row.cheap else options.seeds[:1]:
                found[row.name][seed] = work.measured(row, seed)
                notice(f"{row.name}, seed {seed}: J&F {100 * found[row.name][seed].jf:.1f}")
                table = ablation_table(found, options.chosen())
                _write(folder, table, found, options, data, device)
        pictures = work.pictures()
        files = (folder / "ablation.md", folder / "ablation.json", *pictures)
        return Ablation(found, table, files)  # pyright: ignore[reportPossiblyUnbound]


def _write(folder: Path, table: str, found: dict[str, Any], options: AblateOptions, data: Any, device: str) -> None:
    facts = f"{data['dataset']}, short side {options.short_side}, scales {options.scales}; {describe_machine(device)}"
    write_whole(folder / "ablation.md", encoded(f"{table}\n{facts}\n"))
    rows = {name: {str(seed): dataclasses.asdict(one) for seed, one in there.items()} for name, there in found.items()}
    write_json(folder / "ablation.json", {"rows": rows, "options": dataclasses.asdict(options)} | data)


@dataclass(frozen=True)
class _Work:
    """Trains and measures what is not there yet."""

    recipe: Path
    folder: Path
    options: AblateOptions
    data: dict[str, Any]
    device: str
    threads: int | None
    progress: Report
    notice: Notice

    def measured(self, row: Row, seed: int) -> Measured:
        parts = MEMBERS if row.members else (row.part,)
        trained = [self.trained(part, seed) for part in parts]
        models = [path for path, _ in trained]
        join = str(self.fused(models, seed)) if row.join == "fusion" else row.join
        how = InferenceOptions(
            short_side=self.options.short_side,
            max_side=max(self.options.short_side, 1041),
            scales=self.options.scales if row.views else (1.0,),
            flip=row.views,
            join=join,
            post=PostProcess(track_loss=row.post, small_objects=row.post),
            threads=self.threads,
            backend="eager",
        )
        record = self.folder / "scores" / f"{row.name}-{seed}.json"
        key = {"models": [model_sha256(path) for path in models], "setup": self._plain(how.setup(), join)}
        key |= self.data | {"dataset": str(Path(self.data["dataset"]).resolve())}
        return _known(record, key) or self._evaluate(row, seed, models, how, record, key, trained)

    def _plain(self, setup: Setup, join: str) -> Any:
        """The setup as JSON has it; a fusion network by its hash."""
        join = join if join == "mean" else weights.read_fusion(join).sha256
        return json.loads(json.dumps(dataclasses.asdict(setup) | {"join": join}))

    def _evaluate(
        self,
        row: Row,
        seed: int,
        models: Sequence[Path],
        how: InferenceOptions,
        record: Path,
        key: dict[str, Any],
        trained: Sequence[tuple[Path, float]],
    ) -> Measured:
        masks = self.folder / "masks" / f"{row.name}-{seed}" if seed == self.options.seeds[0] else None
        if masks is not None:
            shutil.rmtree(masks, ignore_errors=True)
        done = evaluate(**self.data, model=models, out=masks, device=self.device, options=how, progress=self.progress)
        if done.scores is None:
            raise ConfigError(f"{self.data['dataset']}: has no masks to measure with")
        minutes = 0.0 if row.views or row.members or row.post else trained[0][1]
        found = Measured(done.scores.jf, done.frames_per_second, minutes)
        by_sequence = {sequence.name: sequence.jf for sequence in done.scores.sequences}
        write_json(prepare_output(record.parent) / record.name, {"key": key, "sequences": by_sequence} | vars(found))
        return found

    def trained(self, part: str, seed: int) -> tuple[Path, float]:
        """(weights, minutes of training) of a part's network."""
        model = STM[self.options.base] if part == "stm" else f"{self.options.base}-{part}"
        run = self.folder / f"{model}-{seed}"
        if (run / "weights.safetensors").exists():
            notes = weights.read(run / "weights.safetensors").notes
            if notes.get("step") == sum(plan.steps for plan in load_stages(self.recipe)):
                return run / "weights.safetensors", float(notes.get("minutes", 0))
        self.notice(f"training {model}, seed {seed}")
        done = train(
            self.recipe,
            run,
            device=self.device,
            threads=self.threads,
            progress=self.progress,
            model=model,
            seed=seed,
        )
        assert done.weights is not None
        return done.weights, done.minutes

    def fused(self, models: Sequence[Path], seed: int) -> Path:
        """The fusion network of these members. Where their recipe withholds kinds of stills (weight 0), it is trained
        on these alone, which no member saw; else on what they were trained on."""
        plan = load_stages(self.recipe)[-1]
        withheld = tuple(kind for kind, weight in plan.clips.weights if weight == 0) if plan.stills else ()
        path = self.folder / f"fusion-{seed}" / "fusion.safetensors"
        members = [model_sha256(model) for model in models]
        if path.exists() and weights.read_fusion(path).notes["members_sha256"] == members:
            return path
        shutil.rmtree(path.parent, ignore_errors=True)
        self.notice(f"training the fusion network, seed {seed}")
        done = fuse(
            models,
            path.parent,
            videos=() if withheld else plan.videos,
            stills=plan.stills or None,
            year=plan.year,
            split=plan.split,
            device=self.device,
            threads=self.threads,
            options=FuseOptions(clips=self.options.clips, steps=self.options.fusion_steps, seed=seed, kinds=withheld),
            progress=self.progress,
            notice=self.notice,
        )
        return done.weights

    def pictures(self) -> list[Path]:
        """Before and after post-processing, if both were measured."""
        seed = self.options.seeds[0]
        before, after = (self.folder / "masks" / f"{name}-{seed}" for name in ("memory-a", "post"))
        if not (before.is_dir() and after.is_dir()):
            return []
        sequences = open_set(self.data["dataset"], self.data["year"], self.data["split"]).sequences
        return draw_differences(sequences, before, after, self.folder, self.options.pictures)


def _known(record: Path, key: dict[str, Any]) -> Measured | None:
    """What was measured before of just this."""
    try:
        found = json.loads(record.read_bytes())
        if found["key"] != json.loads(json.dumps(key)):
            return None
        return Measured(found["jf"], found["frames_per_second"], found["minutes"])
    except (OSError, ValueError, KeyError):
        return None
