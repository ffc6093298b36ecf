"""The training loop: deterministic given its recipe, resumable after any interruption."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from camn.config import preset
from camn.data.clips import ClipBatch, ClipDataset, collate
from camn.data.davis import DavisFolder
from camn.data.stills import StillsFolder
from camn.errors import CheckpointError, TrainingError
from camn.files import leftovers, replacing, writing
from camn.model.network import Camn
from camn.training.ema import Ema
from camn.training.losses import hard_fraction
from camn.training.recipe import Recipe
from camn.training.sequence import Damage, clip_loss, rollout

Report = Callable[[dict[str, Any]], None]


class Stretch(Sampler[int]):
    """Items of the steps from `first` on: what a resumed run draws is what an uninterrupted one would have drawn."""

    def __init__(self, first: int, last: int):
        self.first, self.last = first, last

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last))

    def __len__(self) -> int:
        return self.last - self.first


class Trainer:
    """Trains a network by a recipe, in `folder`: `last.pt` (all state), `log.jsonl` (one line a step).

    A folder that holds a run is resumed; one of another recipe is refused. `start`: backbone weights to begin with.
    `initial`: weights of the whole network to begin with.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        device: str = "cpu",
        start: dict[str, Tensor] | None = None,
        initial: dict[str, Tensor] | None = None,
    ):
        self.recipe, self.folder, self.device = recipe, folder, torch.device(device)
        torch.manual_seed(recipe.seed)
        self.network = Camn(preset(recipe.model))
        if start is not None:
            self.network.backbone.load_state_dict(start)
        if initial is not None:
            self.network.load_state_dict(initial)
        for name, parameter in self.network.named_parameters():
            if name.startswith(recipe.frozen):
                parameter.requires_grad_(False)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Ema(self.network, recipe.ema)
        self.optimizer = self._optimizer()
        self.step = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for file in (self.checkpoint, self.log):
                for part in folder.glob(leftovers(file.name)):  # of a run that was killed
                    part.unlink()
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.pt"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    def _optimizer(self) -> torch.optim.Optimizer:
        slow, decayed, free = [], [], []
        for name, p in self.network.named_parameters():
            if p.requires_grad:
                # Biases, norms and gates are not decayed: their rest position is not zero's neighbourhood.
                (slow if name.startswith("backbone.") else decayed if p.dim() > 1 else free).append(p)
        groups = [
            {"params": slow, "scale": self.recipe.backbone_rate, "weight_decay": self.recipe.weight_decay},
            {"params": decayed, "scale": 1.0, "weight_decay": self.recipe.weight_decay},
            {"params": free, "scale": 1.0, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW([g for g in groups if g["params"]], lr=self.recipe.rate)

    # --- state on disk -----------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write all state; a kill at any moment leaves either the old checkpoint or the new one."""
        state = {
            "recipe": self.recipe.as_dict(),
            "step": self.step,
            "network": self.network.state_dict(),
            "ema": self.ema.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(self.checkpoint, RuntimeError) as part:  # by which torch tells of a full disk
            torch.save(state, part)

    def _resume(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            was = _flat(state["recipe"])
            network, ema, optimizer, step = (state[key] for key in ("network", "ema", "optimizer", "step"))
        except Exception as error:  # torch raises many kinds on files that are cut short or not its own
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise CheckpointError(f"{self.checkpoint}: not a checkpoint of a run ({said}); move it away") from None
        now = _flat(self.recipe.as_dict())
        changed = [f"{k}: {was.get(k)} -> {now[k]}" for k in now if was.get(k) != now[k] and k not in MOVABLE]
        if changed:
            raise TrainingError(f"{self.checkpoint} is of another recipe ({'; '.join(changed)}): use another folder")
        self.network.load_state_dict(network)
        self.ema.average.load_state_dict(ema)
        self.optimizer.load_state_dict(optimizer)
        self.step = step

    # --- the loop ----------------------------------------------------------------------------------------------------

    def loader(self) -> DataLoader:
        r = self.recipe
        davis = DavisFolder(r.davis, r.davis_year, r.split).sequences if r.davis else None
        stills = StillsFolder(r.stills) if r.stills else None
        data = ClipDataset(davis, stills, r.clips, seed=r.seed, length=r.steps * r.batch)
        stretch = Stretch(self.step * r.batch, r.steps * r.batch)
        pin = self.device.type == "cuda"
        return DataLoader(
            data, r.batch, sampler=stretch, num_workers=r.workers, collate_fn=collate, drop_last=True, pin_memory=pin
        )

    def update(self, batch: ClipBatch) -> dict[str, Any]:
        """One optimiser step. Raises TrainingError naming the samples if the loss is not finite."""
        r = self.recipe
        rate = r.rate_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        frames = batch.frames.to(self.device, non_blocking=True).float() / 255
        chance = torch.Generator().manual_seed(1_000_003 * r.seed + self.step)  # of the step alone: resuming is exact
        damage = Damage(r.damage, chance)
        steps = rollout(self.network, frames, batch.labels.to(self.device), batch.objects, damage)
        loss = clip_loss(steps, hard_fraction(self.step, r.steps, *r.hard), r.jaccard)
        if not math.isfinite(loss.item()):
            raise TrainingError(f"loss is {loss.item()} at step {self.step}, on {', '.join(batch.sources)}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), r.clip_norm)
        if not math.isfinite(norm.item()):
            raise TrainingError(f"gradient is {norm.item()} at step {self.step}, on {', '.join(batch.sources)}")
        self.optimizer.step()
        self.ema.update(self.network, self.step)
        self.step += 1
        return {"step": self.step, "loss": round(loss.item(), 5), "norm": round(norm.item(), 4), "rate": rate}

    def _trim_log(self) -> None:
        """Drop lines after the checkpoint: a run that was killed left them, the last perhaps cut short."""
        with replacing(self.log) as part:
            lines = self.log.read_text().splitlines() if self.log.exists() else []
            part.write_text("".join(f"{line}\n" for line in lines if _step(line) <= self.step))

    def _note(self, line: dict[str, Any]) -> None:
        with writing(self.log), self.log.open("a") as log:
            log.write(json.dumps(line) + "\n")

    def run(self, max_minutes: float = math.inf, report: Report = lambda line: None) -> bool:
        """Train until the recipe's last step or for `max_minutes`. -> whether the recipe is finished."""
        start = time.monotonic()
        self._trim_log()
        for batch in self.loader():
            line = self.update(batch) | {"seconds": round(time.monotonic() - start, 2)}
            self._note(line)
            report(line)
            over = time.monotonic() - start > 60 * max_minutes
            if over or self.step % self.recipe.save_every == 0 or self.step == self.recipe.steps:
                self.save()
            if over:
                break
        return self.step >= self.recipe.steps


def _step(line: str) -> float:
    """The step of a log line, beyond all steps if the line is cut short."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf


def _flat(recipe: dict[str, Any], above: str = "") -> dict[str, Any]:
    """A recipe's fields by dotted names, as they are after JSON: tuples and lists are the same."""
    fields = {}
    for key, value in recipe.items():
        if isinstance(value, dict):
            fields |= _flat(value, f"{above}{key}.")
        else:
            fields[above + key] = json.loads(json.dumps(value))
    return fields


# What may differ between a run and its resumption: where the data lies, and how it is loaded and saved.
MOVABLE = ("davis", "stills", "start", "workers", "save_every")
