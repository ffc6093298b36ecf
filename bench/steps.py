"""Training steps, one for each line of standard input, by whatever code PYTHONPATH names: bench/training.py runs it.

PYTHONPATH=SRC python bench/steps.py WORK.pt FOLDER

What each step took goes to standard output, as a line of JSON. Only names that older code has, too, are used here.
"""

import importlib
import json
import sys
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from camn import weights
from camn.training.distributed import Team
from camn.training.engine import Trainer
from camn.training.recipe import Recipe

try:
    from camn.clips.dataset import ClipBatch, ClipOptions
except ModuleNotFoundError:  # code before the rooms were named anew
    from camn.data.clips import ClipBatch, ClipOptions  # pyright: ignore[reportMissingImports]

for home in ("own_process", "models.assemble", "assembling"):  # the newest first
    with suppress(ModuleNotFoundError):
        keep_freed_memory = importlib.import_module(f"camn.api.{home}").keep_freed_memory
        break


def trainer_of(work: dict[str, Any], folder: Path) -> Trainer:
    """Exits with what is wrong where the recipe says something that this code does not know."""
    fields, clips = work["recipe"], work["clips"]
    if unknown := sorted(fields.keys() - Recipe.__dataclass_fields__.keys()):
        sys.exit(f"the code in {sys.modules['camn'].__file__} knows no {', '.join(unknown)}: no comparison")
    recipe = Recipe("steps", videos=("none",), **fields, clips=ClipOptions(**clips))
    initial = weights.read(work["start"]).state if work["start"] else None
    return Trainer(recipe, folder, Team(device=torch.device(work["device"])), initial=initial)


def main() -> None:
    work = torch.load(sys.argv[1], weights_only=True)
    torch.set_num_threads(work["threads"])
    keep_freed_memory()  # as `camn train` does
    trainer = trainer_of(work, Path(sys.argv[2]))
    batches = (ClipBatch(*parts) for parts in work["batches"])
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        wall, spent = time.perf_counter(), time.process_time()
        trainer.update(islice(batches, trainer.recipe.accumulate))
        if work["device"] == "cuda":
            torch.cuda.synchronize()
        print(json.dumps([time.perf_counter() - wall, time.process_time() - spent]), flush=True)


if __name__ == "__main__":
    main()
