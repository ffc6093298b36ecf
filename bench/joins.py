"""What joining is worth: each member, their mean and the fusion network, J&F in one pass over a data set.

    python bench/joins.py DAVIS --year 2016 --split val --model camn-mobile --model stm-mobile --join fusion

Every member goes on from its own masks (feedback `own`), so that one pass serves all ways to join them.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from camn import weights
from camn.api.evaluate.sequences import segment_frame
from camn.api.models.assemble import assemble
from camn.api.options import Setup
from camn.config import EnsembleConfig, InferenceConfig, PostProcess
from camn.datasets.pairs import read_image
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.sets import EvaluationSet, open_set
from camn.inference import Ensemble, Result, resolve_device
from camn.masks import IGNORE
from camn.speed.process import describe_machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--year")
    parser.add_argument("--split", default="")
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--join", default="fusion")
    parser.add_argument("--short-side", type=int, default=480)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, help="file for the figures (.json)")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    setup = Setup(
        InferenceConfig(short_side=asked.short_side, max_side=max(asked.short_side, 1041)),
        EnsembleConfig(feedback="own"),
        asked.join,
        PostProcess.off(),
    )
    read = [weights.read(model) for model in asked.model]
    ensemble = assemble(read, resolve_device("cpu"), setup)
    assert isinstance(ensemble, Ensemble)
    names = [one.config.name for one in read]
    found = measure(ensemble, names, open_set(asked.dataset, asked.year, asked.split))
    for name, by_sequence in found.items():
        listed = ", ".join(f"{sequence} {100 * score:.1f}" for sequence, score in by_sequence.items())
        print(f"{name:<24}{100 * np.mean(list(by_sequence.values())):6.1f}   {listed}")
    print(describe_machine())
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1))


def measure(ensemble: Ensemble, names: list[str], data: EvaluationSet) -> dict[str, dict[str, float]]:
    """J&F, 0..1, by way of joining and sequence; of a sequence the mean over its objects."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for sequence in data.sequences:
        given = data.protocol.given(sequence)
        measured = data.protocol.measured(sequence, data.protocol.starts(sequence))
        values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for index in range(min(given), len(sequence)):
            joined = segment_frame(ensemble, sequence, index, read_image(sequence.frames[index]), given)
            truth = data.protocol.labels(sequence, index)
            for name, ids in answers(ensemble, names, joined).items():
                for id in (id for id, frames in measured.items() if index in frames):
                    pair = (ids == id, truth == id, truth == IGNORE)
                    values[name][id].append((region_similarity(*pair) + contour_accuracy(*pair)) / 2)
        for name, objects in values.items():
            found[name][sequence.name] = float(np.mean([np.mean(each) for each in objects.values()]))
        print(
            sequence.name, {name: round(100 * scores[sequence.name], 1) for name, scores in found.items()}, flush=True
        )
    return found


def answers(ensemble: Ensemble, names: list[str], joined: np.ndarray) -> dict[str, np.ndarray]:
    """Ids (H, W) of the frame last seen: of each member, of their mean, and as `joined`."""
    maps = ensemble.member_maps()
    found = {
        name: Result.of(ensemble.index, ensemble.objects, one, joined.shape).ids
        for name, one in zip([*names, "mean"], [*maps, maps.mean(0)])
    }
    return found | {"joined": joined}


if __name__ == "__main__":
    main()
