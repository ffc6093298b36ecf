"""Matching against loops over pixels, keys and objects."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import leaf, noise, some

from camn.model.matching import (
    FAR,
    TRACE,
    Pool,
    global_maps,
    nearest,
    of_others,
    owners,
    pool_of,
    similarity_map,
)

torch.set_num_threads(1)
sides = st.integers(1, 7)
seeds = st.integers(0, 1000)


def slow_nearest(query, keys, owner):
    out = torch.full((len(query), owner.shape[1]), FAR, dtype=query.dtype)
    for q in range(len(query)):
        for k in range(len(keys)):
            for n in range(owner.shape[1]):
                if owner[k, n]:
                    out[q, n] = min(out[q, n].item(), ((query[q] - keys[k]) ** 2).sum().item())
    return out


def slow_map(distance, bias):
    return 2 / (1 + math.exp(-(distance + bias))) - 1


@given(queries=sides, keys=st.integers(0, 7), channels=st.integers(1, 4), objects=st.integers(1, 4), seed=seeds)
@settings(max_examples=40)
def test_nearest_is_the_minimum_over_an_objects_keys(queries, keys, channels, objects, seed):
    q, k, owner = noise(queries, channels, seed=seed), noise(keys, channels, seed=seed + 1), some(keys, objects)
    wanted = slow_nearest(q, k, owner)
    torch.testing.assert_close(nearest(q, [Pool.of(k, owner)]), wanted)
    halves = [Pool.of(k[:3], owner[:3]), Pool.of(k[3:], owner[3:])]
    torch.testing.assert_close(nearest(q, halves), wanted)


def test_no_key_is_far():
    distance = nearest(noise(3, 2), [Pool.of(noise(2, 2), torch.tensor([[True, False], [True, False]]))])
    assert (distance[:, 1] == FAR).all() and (distance[:, 0] < FAR).all()
    beyond = Pool.of(1e3 * torch.ones(1, 2, dtype=torch.double), torch.ones(1, 1).bool())
    assert (nearest(noise(3, 2), [beyond]) == FAR).all()


@given(tile=st.integers(1, 100), columns=st.integers(1, 10), queries=st.integers(1, 12))
@settings(max_examples=20)
def test_tiles_change_nothing(tile, columns, queries):
    q, k, owner = noise(queries, 3), noise(9, 3, seed=2), some(9, 3)
    got = nearest(q, [Pool.of(k, owner, columns)], tile)
    torch.testing.assert_close(got, nearest(q, [Pool.of(k, owner)]), rtol=0, atol=1e-12)


@given(objects=st.integers(1, 4), seed=seeds)
@settings(max_examples=15)
def test_similarity_map_is_its_equation(objects, seed):
    distance, bias = 3 * noise(objects, 2, 3, seed=seed).abs(), noise(objects, seed=seed + 1)
    got = similarity_map(distance, bias)
    for n, row in enumerate(distance.flatten(1).tolist()):
        wanted = torch.tensor([slow_map(d, bias[n].item()) for d in row], dtype=torch.double)
        torch.testing.assert_close(got[n].flatten(), wanted)


def test_similarity_map_runs_from_nought_to_one():
    assert similarity_map(torch.tensor([[0.0, FAR]]), torch.zeros(1)).tolist() == [[0, 1]]


@given(objects=st.integers(2, 6), levels=st.integers(1, 4), seed=seeds)
@settings(max_examples=40)
def test_of_others_is_the_minimum_over_the_others(objects, levels, seed):
    """Few levels make many ties: then the minimum of the others is the own value."""
    maps = torch.randint(levels, (objects, 2, 3, 3), generator=torch.Generator().manual_seed(seed)).double()
    wanted = [torch.stack([maps[j] for j in range(objects) if j != i]).amin(0) for i in range(objects)]
    assert torch.equal(of_others(maps), torch.stack(wanted))


def test_of_others_without_others_is_the_map_itself():
    maps = noise(1, 2, 3)
    assert torch.equal(of_others(maps), maps)


@given(objects=st.integers(1, 3), h=sides, w=sides, scale=st.sampled_from([0.0, 0.3, 0.5, 1.0]), seed=seeds)
@settings(max_examples=30)
def test_owners_hold_half_a_pixel_or_half_of_their_fullest(objects, h, w, scale, seed):
    masks = scale * torch.rand(objects, h, w, generator=torch.Generator().manual_seed(seed))
    got = owners(masks)
    for n, mask in enumerate(masks):
        most = mask.max().item()
        wanted = [[m > TRACE and m >= 0.5 * most for m in row] for row in mask.tolist()]
        assert got[n].tolist() == wanted


def test_owners_by_hand():
    got = owners(torch.tensor([[[0.0, 0.5, 1.0, 0.4]], [[0.0, 0.2, 0.1, 0.05]], [[0.0, 0.0, 0.0, 0.0]]]))
    assert got[:, 0].int().tolist() == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def test_a_trace_of_an_object_owns_nothing():
    assert not owners(torch.full((1, 2, 2), 1e-6)).any()


def slow_global(query, references, bias, stride, keep):
    """-> (N, h, w), pixel by pixel, over the pixels of all references that the stride leaves."""
    objects = len(bias)
    positions = []
    for keys, owner in references:
        _, h, w = keys.shape
        for n in range(objects):
            all_kept = stride == 1 or owner[n].sum().item() <= keep * stride**2
            for y in range(h):
                for x in range(w):
                    if owner[n, y, x] and (all_kept or (y % stride == 0 and x % stride == 0)):
                        positions.append((n, keys[:, y, x]))
    out = torch.empty(objects, *query.shape[1:], dtype=query.dtype)
    for n in range(objects):
        for y in range(query.shape[1]):
            for x in range(query.shape[2]):
                own = [((query[:, y, x] - k) ** 2).sum().item() for m, k in positions if m == n]
                out[n, y, x] = slow_map(min(own, default=FAR), bias[n].item())
    return out


@given(
    size=st.tuples(sides, sides),
    sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3),
    stride=st.integers(1, 3),
    keep=st.integers(0, 3),
    objects=st.integers(1, 3),
    seed=seeds,
)
@settings(max_examples=30)
def test_global_maps_are_loops_over_all_references(size, sizes, stride, keep, objects, seed):
    query, bias = noise(2, *size, seed=seed), noise(objects, seed=seed + 1)
    references = [(noise(2, *s, seed=seed + 2 + i), some(objects, *s, seed=seed + i)) for i, s in enumerate(sizes)]
    got = global_maps(query, [pool_of(keys, owner, stride, keep) for keys, owner in references], bias)
    torch.testing.assert_close(got, slow_global(query, references, bias, stride, keep))


def test_small_objects_keep_all_their_pixels():
    """One pixel off the grid: gone with the stride alone, kept as a small object."""
    keys, owner = noise(2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool)
    owner[0, 1, 1] = True
    assert (global_maps(keys, [pool_of(keys, owner, 2)], torch.zeros(1)) == 1).all()
    assert global_maps(keys, [pool_of(keys, owner, 2, keep_all_below=1)], torch.zeros(1))[0, 1, 1].abs() < 1e-12


def test_global_maps_are_ones_without_a_labelled_pixel():
    nobody = pool_of(noise(2, 3, 4), torch.zeros(2, 3, 4, dtype=torch.bool))
    got = global_maps(noise(2, 5, 6), [nobody, nobody], torch.zeros(2))
    assert got.shape == (2, 5, 6) and (got == 1).all()


def test_gradients_of_nearest():
    owner = some(6, 3)
    owner[:, 2] = False

    def run(q, k):
        return nearest(q, [Pool.of(k, owner, columns=2)], tile=4)

    torch.autograd.gradcheck(run, (leaf(noise(4, 3)), leaf(noise(6, 3, seed=2))))


def test_gradients_of_whole_maps():
    query, keys, bias = leaf(0.5 * noise(2, 5, 5)), leaf(0.5 * noise(2, 5, 5, seed=3)), leaf(noise(2, seed=4))
    masks = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.double)

    def run(query, keys, bias):
        far = global_maps(query, [pool_of(k, owners(masks), 2, 1) for k in (keys, keys.flip(1))], bias)
        return far, of_others(far)

    torch.autograd.gradcheck(run, (query, keys, bias))


def test_arguments_are_left_alone():
    query, keys, owner, bias = noise(2, 4, 4), noise(2, 4, 4, seed=2), some(2, 4, 4), noise(2)
    before = [x.clone() for x in (query, keys, owner, bias)]
    global_maps(query, [pool_of(keys, owner, 2, 1)], bias)
    assert all(torch.equal(a, b) for a, b in zip((query, keys, owner, bias), before, strict=True))
