"""The training loop: deterministic given its recipe, resumable after any interruption, alone or in a team."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from camn import weights
from camn.clips.dataset import ClipBatch
from camn.errors import ConfigError, TrainingError
from camn.files import leftovers, writing
from camn.model.interface import Network
from camn.training import checkpoint
from camn.training.board import Board, panel, watched
from camn.training.checkpoint import State
from camn.training.distributed import Team
from camn.training.ema import Ema
from camn.training.journal import Journal
from camn.training.late import Late, quick_products
from camn.training.loader import Batches, Reading, Shares, described, make_loader, training_videos
from camn.training.optimizer import compile_parts, make_optimizer, set_rate
from camn.training.recipe import Recipe
from camn.training.tasks import task_of

Report = Callable[[dict[str, Any]], None]
# J&F (0..1) of each object of what is the rank-th process's share among so many: (network, rank, processes) -> scores.
Validate = Callable[[Network, int, int], list[float]]
ALONE = Team()


class Trainer:
    """Trains a network by a recipe, in `folder`: `last.pt` (all state), `log.jsonl` (one line a step) and, with
    `validate`, `best.safetensors` (the averaged weights that scored best).

    A folder that holds a run is resumed, by any number of processes; one of another recipe is refused. The team's
    leader alone reads and writes there. start: backbone weights to begin with. initial: weights of the whole network.
    notice: called with a sentence where the data is not what it was when the run began.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        team: Team = ALONE,
        start: dict[str, Tensor] | None = None,
        initial: dict[str, Tensor] | None = None,
        validate: Validate | None = None,
        notice: Callable[[str], None] = lambda note: None,
    ):
        self.recipe, self.folder, self.team, self.validate, self.notice = recipe, folder, team, validate, notice
        self.checkpoint, self.journal = folder / "last.pt", Journal(folder / "log.jsonl")
        Shares(recipe, 0, team)  # refuses a batch that cannot be shared
        torch.manual_seed(recipe.seed)
        self.task = task_of(recipe)
        self.network: Any = self.task.build()
        if start is not None:
            self.network.load_backbone(start)
        if initial is not None:
            self.network.load_state_dict(initial, strict=not recipe.partial)
        for name, parameter in self.network.named_parameters():
            if name.startswith(recipe.frozen) or self.network.backbone_part(name).startswith(recipe.frozen):
                parameter.requires_grad_(False)
        self.network.to(team.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if recipe.compile:
            compile_parts(self.network)
        self.ema = Ema(self.network, recipe.ema)
        self.optimizer = make_optimizer(self.network, recipe)
        self.step, self.best, self.data = 0, -math.inf, ""
        self._board: Board | None = None
        if team.leads:
            self._clear()
        found = checkpoint.read(self.checkpoint, recipe) if team.leads and self.checkpoint.exists() else None
        self._load(team.share(found or self._state(cpu=True)))

    def _clear(self) -> None:
        """Make the folder, and take away what a run that was killed left half-written."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in (self.checkpoint.name, self.journal.path.name, "best.safetensors"):
                for part in self.folder.glob(leftovers(name)):
                    part.unlink()

    def _state(self, cpu: bool = False) -> State:
        network, ema = self.network.state_dict(), self.ema.average.state_dict()
        if cpu:
            network, ema = ({k: v.cpu() for k, v in state.items()} for state in (network, ema))
        return State(network, ema, self.optimizer.state_dict(), self.step, self.best, self.data)

    def _load(self, state: State) -> None:
        self.network.load_state_dict(state.network)
        self.ema.average.load_state_dict(state.ema)
        # A state of before optimisers were fused says that its own was not.
        groups = [group | {"fused": True} for group in state.optimizer["param_groups"]]
        self.optimizer.load_state_dict(state.optimizer | {"param_groups": groups})
        self.step, self.best, self.data = state.step, state.best, state.data

    def save(self) -> None:
        """Write all state; a kill at any moment leaves either the old checkpoint or the new one."""
        checkpoint.save(self.checkpoint, self.recipe, self._state())

    # --- one step ----------------------------------------------------------------------------------------------------

    def update(self, parts: Iterable[ClipBatch]) -> dict[str, Any]:
        """One optimiser step on this process's share of the batch, part by part -> the step's line in the log.

        Raises TrainingError naming the samples if a loss or the gradient is not finite; no weight has changed then.
        """
        return self._settled(self._stepped(self._differentiated(parts)))

    def _differentiated(self, parts: Iterable[ClipBatch]) -> tuple[Tensor, list[list[str]]]:
        """Leaves the batch's gradient at the parameters -> the loss and the samples of each part."""
        self.optimizer.zero_grad(set_to_none=True)
        losses, sources = [], []
        for part, batch in enumerate(parts):
            loss = self._loss(batch, part)
            (loss / self.recipe.accumulate).backward()
            losses.append(loss.detach())
            sources.append(list(batch.sources))
        self.team.average_gradients(self.network.parameters())
        return torch.stack(losses), sources

    def _stepped(self, found: tuple[Tensor, list[list[str]]]) -> Late:
        """Changes the weights by the gradient. Where loss or gradient is not finite the device leaves the weights as
        they are: nobody waits here to see whether they were."""
        losses, sources = found
        rate = self.recipe.rate_at(self.step)
        set_rate(self.optimizer, rate)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        seen = torch.cat([losses, norm[None].to(losses.dtype)])
        self.optimizer.found_inf = (~seen.isfinite().all()).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        self.ema.update(self.network, self.step)
        self.step += 1
        return Late(seen, self.step, rate, sources)

    def _settled(self, late: Late) -> dict[str, Any]:
        """The step's line in the log. Raises TrainingError as `update` does."""
        *losses, norm = late.read()
        total = self.team.mean(math.fsum(losses) / len(losses))
        parts = zip(losses, late.sources, strict=True)
        self._check("loss", total, late.step, [name for x, names in parts if not math.isfinite(x) for name in names])
        self._check("gradient", norm, late.step, [name for names in late.sources for name in names])
        return {"step": late.step, "loss": round(total, 5), "norm": round(norm, 4), "rate": late.rate}

    def _loss(self, batch: ClipBatch, part: int) -> Tensor:
        r = self.recipe
        items = Shares(r, self.step, self.team).items(self.step, part)
        if self._board is None or part or self.step % r.panel_every:
            return self.task.loss(self.network, batch, items, self.step, None)
        seen: list[Tensor] = []
        loss = self.task.loss(self.network, batch, items, self.step, partial(watched, seen=seen))
        if seen:
            shown = [0, *range(1 + r.lead, batch.frames.shape[1])]
            self._board.show(self.step + 1, panel(batch.frames[0][shown], batch.labels[0][shown], seen))
        return loss

    def _check(self, what: str, value: float, step: int, sources: list[str]) -> None:
        if not math.isfinite(value):
            named = ", ".join(self.team.gather(sources))
            raise TrainingError(
                f"{what} is {value} at step {step - 1}, on {named}; the checkpoint before it is kept: look at these "
                "samples, or lower the rate, in a new folder"
            )

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self, max_minutes: float = math.inf, report: Report = lambda line: None) -> bool:
        """Train until the recipe's last step or for `max_minutes`. -> whether the recipe is finished.

        report: called with every line of the log, at the leader. A step's numbers are read when the next one is under
        way, so that the device never waits for the host; before the next one's change of the weights, and before they
        are saved or validated.
        Raises DataError for a file that cannot be read, TrainingError as `update` does, OutputError.
        """
        r, start = self.recipe, time.monotonic()
        if self.team.leads:
            self.journal.trim(self.step)
            self._board = Board(self.folder / "tensorboard", self.step + 1) if r.tensorboard else None
        shares = Shares(r, self.step, self.team)
        loader = make_loader(r, shares, training_videos(r), pin=self.team.device.type == "cuda")
        assert isinstance(loader.dataset, Reading)
        self._see(described(loader.dataset.clips))
        read = Batches(loader)
        batches, board = iter(read), closing(self._board) if self._board else nullcontext()
        late: Late | None = None
        with board, read.telling_of_workers(), quick_products(self.team):
            while self.step < r.steps:
                found = self._differentiated(islice(batches, r.accumulate))
                if late is not None:
                    self._note(self._settled(late), start, report)
                late = self._stepped(found)
                over = time.monotonic() - start > 60 * max_minutes
                if max_minutes < math.inf:  # clocks differ: who finds it over ends it for all
                    over = self.team.any(over)
                late = self._rested(late, over, start, report)
                if over:
                    break
        return self.step >= r.steps

    def _rested(self, late: Late, over: bool, start: float, report: Report) -> Late | None:
        """Validation and checkpoint, where they are due after a step: before them its numbers are read, and none are
        left to be."""
        r, last = self.recipe, over or self.step == self.recipe.steps
        validate = self.validate if self.step % r.validate_every == 0 or self.step == r.steps else None
        save = last or self.step % r.save_every == 0
        if not (save or validate):
            return late
        line = self._settled(late)
        if validate:
            line["jf"] = round(self._validated(validate), 5)
        self._note(line, start, report)
        if save and self.team.leads:
            self.save()
        return None

    def _see(self, data: str) -> None:
        """What is trained on from here; told where it is not what it was."""
        if self.data not in ("", data) and self.team.leads:
            self.notice(
                f"{self.folder}: the training data has changed since step {self.step}: {self.data} -> {data}; the run "
                "goes on with what is there now, and draws other clips"
            )
        self.data = data

    def _note(self, line: dict[str, Any], start: float, report: Report) -> None:
        if not self.team.leads:
            return
        line = line | {"seconds": round(time.monotonic() - start, 2)}
        self.journal.add(line)
        if self._board is not None:
            self._board.add(line)
        report(line)

    def _validated(self, validate: Validate) -> float:
        """J&F of the averaged weights, 0..1, the mean over all objects; where it is the best so far, they are kept."""
        scores = self.team.gather(validate(self.ema.average, self.team.rank, self.team.size))
        if not scores:
            raise ConfigError(f"recipe {self.recipe.name}: there is no object to validate on in {self.recipe.validate}")
        score = math.fsum(scores) / len(scores)
        if score > self.best:
            self.best = score
            if self.team.leads:
                notes = {"recipe": self.recipe.portable(), "step": self.step, "jf": round(score, 5)}
                state = self.ema.average.state_dict()
                weights.write(self.folder / "best.safetensors", self.ema.average.config, state, notes)
        return score
