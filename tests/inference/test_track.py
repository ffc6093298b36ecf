"""What of track loss looks at boxes alone, against the same on whole maps."""

import cv2
import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from camn.inference.parts import Parts, box_of
from camn.inference.track import Track
from camn.inference.track_loss import _take_away


def drawn(rng: np.random.Generator) -> np.ndarray:
    """(40, 60) bool: some rectangles, also at the edges, or nothing."""
    mask = np.zeros((40, 60), bool)
    for _ in range(rng.integers(0, 4)):
        y, x, h, w = rng.integers(0, (40, 60, 15, 15))
        mask[y : y + h + 1, x : x + w + 1] = True
    return mask


masks = st.integers(0, 2**32 - 1).map(lambda seed: drawn(np.random.default_rng(seed)))


@given(st.lists(masks, min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=60)
def test_a_track_holds_where_an_object_was_of_late(clip, window):
    track, seen = None, []
    for index, mask in enumerate(clip):
        if mask.any():
            track, seen = track.seen(index, mask, window) if track else Track.of(index, mask), [*seen, index]
        elif track:
            assert track.seen(index, mask, window) is track
    if track is None:
        return
    where = np.any([clip[index] for index in seen if index > seen[-1] - window], axis=0)
    assert np.array_equal(track.region((40, 60), window), where)
    assert track.stamps.shape == where[box_of(where)].shape  # and no more than that


@given(masks)
def test_parts_are_those_of_the_whole_mask(mask):
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    parts = Parts.of(mask)
    assert sorted(parts.areas) == sorted(stats[1:, cv2.CC_STAT_AREA])
    for label, area in enumerate(parts.areas, 1):
        own = parts.labels == label
        assert np.count_nonzero(own) == area and np.array_equal(own, labels == labels[own][0])
    assert np.array_equal(parts.labels > 0, mask)


@given(masks, masks, st.integers(1, 3))
def test_what_is_taken_away_is_shared_as_on_the_whole_map(gone, kept, channel):
    assume(gone.any())
    kept = kept & ~gone
    before = torch.rand(4, 40, 60, generator=torch.Generator().manual_seed(0)).softmax(0)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17))
    around, own = (cv2.dilate(mask.astype(np.uint8), disk) > 0 for mask in (gone, kept))
    where = torch.from_numpy(gone | (around & ~own))
    wanted = before.clone()
    wanted[channel][where] = 0
    wanted = torch.where(where, wanted / wanted.sum(0), before)
    after = before.clone()
    _take_away(after, channel, gone, kept)
    torch.testing.assert_close(after, wanted, atol=1e-6, rtol=0)
    assert torch.equal(after[:, ~where], before[:, ~where])
