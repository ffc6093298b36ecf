"""J&F of a network as it is trained, on videos that it is not trained on."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import torch

from camn.api.evaluate.sequences import segment_frame
from camn.config import InferenceConfig
from camn.datasets.layouts import VideoFolder, VideoSequence
from camn.datasets.pairs import read_image
from camn.errors import AnswerError, DataError, TrainingError
from camn.evaluation.jf import contour_accuracy, region_similarity
from camn.evaluation.protocol import DAVIS_2016, DAVIS_2017, OPEN
from camn.evaluation.sets import check_starts
from camn.inference import Segmenter
from camn.masks import IGNORE
from camn.model.interface import Network


class Validation:
    """Segments the sequences of a folder by the rules of its benchmark, and measures; nothing is written.

    year: of a DAVIS folder; 2016 takes all objects as one. frames: of each sequence, counted from its first mask; 0 for
    all, and then the mean is what `camn evaluate` finds without post-processing: it is the network that is trained, and
    this is quicker. short_side: the size that the network works at.
    Raises DataError where first masks hold no object, or no object has a mask after its first.
    """

    def __init__(
        self,
        folder: VideoFolder,
        year: str = "",
        frames: int = 0,
        short_side: int = InferenceConfig.short_side,
        device: torch.device | str = "cpu",
    ):
        davis = DAVIS_2016 if year == "2016" else DAVIS_2017
        protocol = davis if folder.layout == "davis" else OPEN
        # The last frame of a part is not that of the video, which DAVIS leaves out.
        self.protocol = dataclasses.replace(protocol, last=True) if frames else protocol
        self.sequences = tuple(_begun(sequence, frames) for sequence in folder.sequences)
        self.config = InferenceConfig(short_side=short_side, max_side=max(short_side, InferenceConfig.max_side))
        self.device = device
        check_starts(folder.root, self.sequences, self.protocol)
        if not any(self.protocol.measured(s, self.protocol.starts(s)) for s in self.sequences):
            raise DataError(f"{folder.root}: no object has a mask after its first, so there is nothing to validate by")

    def __call__(self, network: Network, rank: int = 0, ranks: int = 1) -> list[float]:
        """J&F, 0..1, of each object of every `ranks`-th sequence from the `rank`-th on. Raises DataError, TrainingError
        where the network's answer is not finite."""
        segmenter = Segmenter(network, self.config, self.device)
        try:
            return [score for sequence in self.sequences[rank::ranks] for score in self._scores(segmenter, sequence)]
        except AnswerError as error:
            raise TrainingError(
                f"validation: {error}. The last checkpoint is kept: look at what was trained since, or go on from it "
                "with a `validate_every` that leaves this step out"
            ) from error

    def _scores(self, segmenter: Segmenter, sequence: VideoSequence) -> list[float]:
        given = self.protocol.given(sequence)
        measured = self.protocol.measured(sequence, self.protocol.starts(sequence))
        values = defaultdict(list)
        for index in range(min(given), 1 + max((max(frames) for frames in measured.values()), default=-1)):
            ids = segment_frame(segmenter, sequence, index, read_image(sequence.frames[index]), given)
            if wanted := [number for number, frames in measured.items() if index in frames]:
                truth = self.protocol.labels(sequence, index)
                if truth.shape != ids.shape:
                    raise DataError(f"{sequence.mask(index)}: is of another size than its frame; see camn data check")
                for number in wanted:
                    pair = (ids == number, truth == number, truth == IGNORE)
                    values[number].append((region_similarity(*pair) + contour_accuracy(*pair)) / 2)
        return [float(np.mean(found)) for found in values.values()]


def _begun(sequence: VideoSequence, frames: int) -> VideoSequence:
    """Its first frames from the first mask on."""
    if not frames or not sequence.annotated:
        return sequence
    part = slice(sequence.annotated[0], sequence.annotated[0] + frames)
    return dataclasses.replace(sequence, frames=sequence.frames[part], masks=sequence.masks[part])
