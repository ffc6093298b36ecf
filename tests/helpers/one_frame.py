"""What a frame takes in calls of torch's dispatcher, and what is read from the device: for tests and bench/calls.py."""

import numpy as np
import torch

from camn.inference import Segmenter
from camn.inference.result import strongest_of_all
from camn.speed.calls import Counted
from camn.speed.discs import moving_discs


def calls_of_a_frame(segmenter: Segmenter, objects: int, size: tuple[int, int], together: int) -> Counted:
    """From a frame's upload until its ids are on their way to the host. size: (H, W). together: objects whose ids are
    found at once."""
    (first, mask), (second, _), (third, _) = moving_discs(3, *size, objects)
    segmenter.start(first, mask)
    segmenter.step(second)
    with Counted() as seen, torch.inference_mode():
        predicted = segmenter.predict(segmenter.upload(third))
        strongest_of_all(predicted.probabilities, size, None, together)
        segmenter.accept(predicted, np.zeros(size, np.uint8))
    return seen
