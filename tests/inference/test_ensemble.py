"""Ensembles of networks and views, with networks of random weights, against one run after the other by hand."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from camn.config import EnsembleConfig, FusionConfig, InferenceConfig
from camn.errors import ConfigError, MaskError, VideoError
from camn.inference import Ensemble, Segmenter
from camn.inference.ensemble import Way, fused
from camn.inference.views import View, make_views
from camn.model.fusion import Fusion

SMALL = InferenceConfig(short_side=64)
SIZE = (50, 70)
PLAIN = (View(),)


def frame(index: int) -> np.ndarray:
    blocks = np.random.default_rng(1).integers(0, 256, (10, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return np.roll(blocks, (index, 2 * index), (0, 1))[: SIZE[0], : SIZE[1]].copy()


def mask(*ids: int) -> np.ndarray:
    made = np.zeros(SIZE, np.uint8)
    for place, id in enumerate(ids):
        made[12:40, 6 + 20 * place : 24 + 20 * place] = id
    return made


def networks_of(named, *names):
    return [named(name) for name in names]


def ensemble(networks, views=PLAIN, config=None, **more) -> Ensemble:
    ways = [
        Way(member, view, Segmenter(network, view.configured(SMALL)))
        for member, network in enumerate(networks)
        for view in views
    ]
    return Ensemble(ways, config or EnsembleConfig(), **more)


def same(a, b) -> bool:
    return a.index == b.index and np.array_equal(a.ids, b.ids) and a.lost == b.lost


@pytest.mark.parametrize("feedback", ["joint", "own"])
def test_a_network_twice_is_the_network(network, feedback):
    alone = Segmenter(network, SMALL)
    twice = ensemble([network, network], config=EnsembleConfig(feedback=feedback))
    for do in (
        lambda s: s.start(frame(0), mask(3, 9)),
        lambda s: s.step(frame(1)),
        lambda s: s.step(frame(2)),
        lambda s: s.correct(mask(9, 4)),
        lambda s: s.step(frame(3)),
        lambda s: s.remove(9),
        lambda s: s.step(frame(4)),
        lambda s: s.correct(np.zeros(SIZE, np.uint8), [4]),
        lambda s: s.step(frame(5)),
    ):
        a, b = do(alone), do(twice)
        if a is not None:
            assert same(a, b)
            for id in a.confidence:
                assert a.confidence[id] == pytest.approx(b.confidence[id], abs=1e-5)
                np.testing.assert_allclose(a.probability(id), b.probability(id), atol=1e-5)
    assert twice.remembered == alone.remembered and twice.index == alone.index
    assert twice.objects.ids == alone.objects.ids


def test_own_feedback_is_one_run_after_the_other(named):
    """The slow twin: each network and view through the whole video by itself, their maps averaged afterwards."""
    networks, views = networks_of(named, "camn-mobile", "small-stm"), make_views((1.0, 1.3), flip=True)
    together = ensemble(networks, views, EnsembleConfig((1.0, 1.3), True, feedback="own"))
    first = together.start(frame(0), mask(1, 2))
    found = [together.step(frame(t)) for t in (1, 2, 3)]
    by_member = []
    for network in networks:
        maps = []
        for view in views:
            alone = Segmenter(network, view.configured(SMALL))
            alone.start(view.apply(frame(0)), view.apply(mask(1, 2)))
            seen = []
            for t in (1, 2, 3):
                alone.step(view.apply(frame(t)))
                seen.append(view.undo(alone.probabilities, together.ways[0].segmenter.probabilities.shape[1:]))
            maps.append(torch.stack(seen))
        by_member.append(torch.stack(maps).mean(0))
    expected = torch.stack(by_member).mean(0)
    assert np.array_equal(first.ids, mask(1, 2))
    for result, maps in zip(found, expected):
        torch.testing.assert_close(result._probabilities, maps, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.member_maps(), torch.stack([m[-1] for m in by_member]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("above", "held"), [(0, [0, 1, 2, 3]), (1, [0, 3])])
def test_what_the_joint_answer_doubts_no_way_remembers(named, above, held):
    wary = replace(SMALL, memory_every=1, match_above=above)
    ways = [
        Way(0, v, Segmenter(n, v.configured(wary)))
        for n in networks_of(named, "camn-mobile")
        for v in make_views((1.0, 1.5))
    ]
    together = Ensemble(ways)
    together.start(frame(0), mask(1, 2))
    for t in (1, 2, 3):
        together.step(frame(t))
    assert [way.segmenter.remembered for way in together.ways] == [held, held]


def test_joint_feedback_gives_each_view_the_joint_mask(named):
    views = make_views((1.0, 1.5), flip=True)
    together = ensemble(networks_of(named, "camn-mobile"), views, EnsembleConfig((1.0, 1.5), True))
    together.start(frame(0), mask(5))
    result = together.step(frame(1))
    for way in together.ways:
        back = way.view.undo(way.segmenter.probabilities, result._probabilities.shape[1:])
        assert (back - result._probabilities).abs().mean() < 0.02  # what is lost on the way to its size and back
        assert np.array_equal(way.view.apply(way.segmenter._ids), result.ids)
    unmirrored = together.ways[0].segmenter.probabilities
    assert torch.equal(unmirrored, result._probabilities)
    torch.testing.assert_close(result._probabilities.sum(0), torch.ones_like(unmirrored[0]))


def test_weights_take_one_member_alone_or_mix(named):
    config = EnsembleConfig(weights=(0.0, 2.0), feedback="own")
    only = ensemble(networks_of(named, "camn-mobile", "small-stm"), config=config)
    alone = Segmenter(named("small-stm"), SMALL)
    for segmenter in (only, alone):
        segmenter.start(frame(0), mask(1))
    a, b = only.step(frame(1)), alone.step(frame(1))
    # The first member's size is that of the answers, so what the second found is brought there.
    at = View().undo(b._probabilities, a._probabilities.shape[1:])
    torch.testing.assert_close(a._probabilities, at, atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="3 weights for 2 models"):
        ensemble(networks_of(named, "camn-mobile", "small-stm"), config=EnsembleConfig(weights=(1, 1, 1)))


def test_an_untrained_fusion_network_is_the_mean(named):
    names = ("camn-mobile", "small-stm")
    network = Fusion(FusionConfig(names))
    a = ensemble(networks_of(named, *names), join=fused(network, torch.device("cpu"), [0, 1]))
    b = ensemble(networks_of(named, *names))
    for segmenter in (a, b):
        segmenter.start(frame(0), mask(1, 2))
    for t in (1, 2):
        one, two = a.step(frame(t)), b.step(frame(t))
        torch.testing.assert_close(one._probabilities, two._probabilities, atol=1e-5, rtol=0)


def test_a_call_that_fails_changes_nothing(named):
    together = ensemble(networks_of(named, "camn-mobile", "small-cfbi-mobilenetv2"))
    together.start(frame(0), mask(1))
    together.step(frame(1))
    twin = copy(together)
    broken = together.ways[1].segmenter
    broken.predict = None  # type: ignore[assignment, method-assign], of this object alone
    with pytest.raises(TypeError):
        together.step(frame(2))
    del broken.predict
    with pytest.raises(MaskError, match="size"):
        together.correct(np.ones((3, 3), np.uint8))
    with pytest.raises(VideoError):
        together.step(frame(2)[:20])
    with pytest.raises(MaskError):
        together.remove(77)
    assert same(together.step(frame(2)), twin.step(frame(2)))


def test_order_of_calls_is_checked_as_by_a_segmenter(named):
    together = ensemble(networks_of(named, "camn-mobile", "camn-mobile"))
    with pytest.raises(VideoError, match="step before start"):
        together.step(frame(0))
    with pytest.raises(VideoError, match="correct before start"):
        together.correct(mask(1))
    with pytest.raises(MaskError, match="no object"):
        together.start(frame(0), mask())
    with pytest.raises(VideoError, match="uint8"):
        together.start(frame(0).astype(float), mask(1))


def test_uploads_are_shared_by_ways_that_see_the_same(named):
    together = ensemble(
        networks_of(named, "camn-mobile", "camn-mobile"), make_views(flip=True), EnsembleConfig(flip=True)
    )
    uploaded = together.upload(frame(0))
    assert len(uploaded.seen) == 4 and len({id(seen) for seen in uploaded.seen}) == 2
    assert uploaded.size == SIZE
    twin = copy(together)
    together.start(uploaded, mask(1))
    twin.start(frame(0), mask(1))
    assert same(together.step(together.upload(frame(1))), twin.step(frame(1)))
    assert same(together.step(together.encode(frame(2))), twin.step(frame(2)))
    with pytest.raises(VideoError, match="another ensemble"):
        ensemble(networks_of(named, "camn-mobile", "small-stm")).start(uploaded, mask(1))


def test_a_new_object_in_the_middle_and_a_new_video(named):
    together = ensemble(
        networks_of(named, "camn-mobile", "small-stm"), make_views(flip=True), EnsembleConfig(flip=True)
    )
    together.start(frame(0), mask(200))
    together.step(frame(1))
    result = together.correct(mask(0, 7))
    assert set(result.confidence) == {7, 200} and (result.ids == 7).sum() == (mask(0, 7) == 7).sum()
    assert set(together.step(frame(2)).confidence) == {7, 200}
    again = together.start(frame(3), mask(1))
    assert again.index == 0 and together.remembered == [0] and set(again.confidence) == {1}
