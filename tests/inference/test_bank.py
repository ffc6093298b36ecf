"""The bank against a plain list of everything that ever came in."""

import math
from copy import copy
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camn.inference.bank import Bank
from camn.inference.worth import novelty
from camn.model.memory import MemoryEntry
from camn.model.network import Embedding, Labelled


def frame(index: int, share: dict[int, float]) -> Labelled:
    """A frame that tells its index by its embedding, and each channel's share, the background's first, by its masks."""
    one = torch.full((1, 1, 1, 1), float(index))
    return Labelled(Embedding((one,), (one,), ()), (torch.tensor(list(share.values())).view(-1, 1, 1),))


def entry(index: int, objects: list[int]) -> MemoryEntry:
    values = torch.tensor([float(o) for o in objects]).view(-1, 1, 1, 1).expand(-1, 2, 1, 1)
    return MemoryEntry(torch.full_like(values, index), values)


def index_of(frame: Labelled) -> int:
    return int(frame.embedding.maps[0])


@dataclass
class Oracle:
    """All that was ever taken in; what should be held is worked out anew each time from the rules of `Bank`."""

    every: int
    most: int
    kept: int
    shares: dict[int, dict[int, float]] = field(default_factory=dict)  # frame -> object (0: background) -> share
    known: dict[int, set[int]] = field(default_factory=dict)
    users: list[int] = field(default_factory=list)
    shown: dict[int, set[int]] = field(default_factory=dict)  # objects in the masks that the user gave of a frame
    spread: list[int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)  # remembered without doubt since the last mask from the user
    sure: dict[int, set[int]] = field(default_factory=dict)  # objects that a remembered frame shows without doubt

    def remember(
        self, index: int, share: dict[int, float], given: set[int] | None, doubtful: set[int], lost: set[int]
    ) -> None:
        objects = set(share) - {0}
        self.shares[index], self.known[index] = dict(share), set(objects)
        taken = max([*self.users, *self.sure], default=0)
        if given is not None:
            self.shown[index] = given
            self.users = list(dict.fromkeys([*self.users, index]))
            for between in self.users[1 : max(1, len(self.users) - (self.kept - 1))]:
                if self.spare(between):
                    self.users.remove(between)
            self.spread = [i for i in self.spread if i != index]
            self.since = []
        elif self.most and objects - doubtful - lost and any(i % self.every == 0 for i in range(taken + 1, index + 1)):
            self.sure[index] = objects - doubtful - lost
            self.spread.append(index)
            if not doubtful:
                self.since.append(index)
            if len(self.spread) > self.most:
                self.spread.remove(min(self.spread[:-1], key=self.room))

    def spare(self, index: int) -> bool:
        """Whether each object that this frame shows is shown by another."""
        return all(any(o in self.shown[i] for i in self.users if i != index) for o in self.shown[index])

    def room(self, index: int) -> tuple[int, int]:
        """Time between a frame's neighbours; before the oldest stands its successor's mirror image at time 0."""
        later = min(i for i in self.spread if i > index)
        sooner = max((i for i in self.spread if i < index), default=-later)
        return later - sooner, index

    def select(self, objects: list[int]) -> None:
        for index, share in self.shares.items():
            gone = sum(s for o, s in share.items() if o and o not in objects)
            self.shares[index] = {0: share[0] + gone} | {o: share.get(o, 0.0) for o in objects}
        for known in (*self.known.values(), *self.sure.values()):
            known &= set(objects)
        for shown in self.shown.values():
            shown &= set(objects)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("see"), st.none()),
        st.tuples(st.sampled_from(["doubt", "lose"]), st.sets(st.integers(1, 4))),
        st.tuples(st.sampled_from(["see", "correct"]), st.sets(st.integers(1, 4))),
        st.tuples(
            st.just("select"), st.permutations(range(1, 5)).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n]))
        ),
    ),
    max_size=60,
)


@given(
    every=st.integers(1, 4), most=st.integers(2, 5), matched=st.integers(0, 3), kept=st.integers(2, 5), todo=operations
)
def test_holds_what_its_rules_say(every, most, matched, kept, todo):
    bank, oracle = Bank(every, most, matched, kept), Oracle(every, most, kept)
    objects, index = [1, 2], -1
    for what, how in [("see", {1, 2}), *todo]:
        if what == "select":
            channels = [0, *(objects.index(o) + 1 if o in objects else None for o in how)]
            bank.select(channels)
            oracle.select(list(how))
            objects = list(how)
        else:
            index += what != "correct"
            share = {o: (o + 1.0 + index % 3) / 16 for o in (0, *objects)}
            named = None if how is None else how & set(objects)
            given, doubtful, lost = (
                None if named is None or what in ("doubt", "lose") else named,
                named if named and what == "doubt" else set(),
                named if named and what == "lose" else set(),
            )
            shown, *unsure = (some and [objects.index(o) + 1 for o in some] for some in (given, doubtful, lost))
            bank.remember(index, frame(index, share), entry(index, objects) if objects else None, shown, *unsure)
            oracle.remember(index, share, given, doubtful, lost)
        check(bank, oracle, objects, index)


def check(bank: Bank, oracle: Oracle, objects: list[int], index: int) -> None:
    held = sorted({*oracle.users, *oracle.spread, index})
    assert bank.indices() == held
    assert 0 in held and len(held) <= len(oracle.users) + oracle.most + 1
    assert [index_of(r) for r in bank.references] == oracle.users
    assert bank.previous is not None and index_of(bank.previous) == index
    recent = oracle.since[len(oracle.since) - min(bank.matched, len(oracle.since)) :]
    assert [index_of(r) for r in bank.to_match()] == [*oracle.users, *recent]
    for seen in (*bank.to_match(), bank.previous):
        share = oracle.shares[index_of(seen)]
        assert seen.masks[0].flatten().tolist() == pytest.approx([share[0], *(share[o] for o in objects)])
    check_entries(bank, oracle, objects, index)


def check_entries(bank: Bank, oracle: Oracle, objects: list[int], index: int) -> None:
    """An entry shows an object its own values where it was known for sure, and says so where it was not."""
    entries = bank.entries()
    if not objects:
        return
    indices = [int(e.keys.max()) for e in entries if e.keys.any()]
    assert len(indices) == len(set(indices)) and set(indices) <= set(bank.indices())
    for e in entries:
        assert len(e.keys) == len(objects)
        valid = [True] * len(objects) if e.valid is None else e.valid.tolist()
        for n, known in enumerate(valid):
            assert e.values[n].flatten().tolist() == ([float(objects[n])] * 2 if known else [0.0] * 2)
            if e.keys.any():
                at = int(e.keys.max())
                surely = oracle.known if at in {*oracle.users, index} else oracle.sure
                assert known == (objects[n] in surely[at])


def test_spread_by_hand():
    bank = Bank(every=5, most=3)
    for index in range(26):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index == 0 else None)
        if index == 17:
            assert bank.indices() == [0, 5, 10, 15, 17]
        if index == 20:  # 5, 10, 15, 20: 10 and 15 lie equally close to their neighbours, the older goes
            assert bank.indices() == [0, 5, 15, 20]
    assert bank.indices() == [0, 5, 15, 25]  # 20 goes: 25 - 15 = 10, 15 has 20 - 5, and 5 has twice 15


@pytest.mark.parametrize("every", (1, 5))
@pytest.mark.parametrize("most", (1, 2, 6))
def test_kept_frames_stay_spread_and_bounded(every, most):
    bank = Bank(every, most)
    for index in range(600):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index == 0 else None)
        held = bank.indices()
        assert len(held) <= most + 2 and len(bank.entries()) == len(held)
        assert len(bank.references) == 1
    if most == 6:  # no stretch of the video is without: at most twice the even share
        gaps = [b - a for a, b in zip(held, held[1:], strict=False)]
        assert max(gaps) <= 2 * 600 / 6


def test_none_but_the_users_and_the_previous():
    bank = Bank(every=1, most=0)
    for index in range(20):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index in (0, 7) else None)
    assert bank.indices() == [0, 7, 19]


def test_what_is_doubtful_is_made_up_for_as_soon_as_can_be():
    """The first sure frame of each five, not the fifth alone."""
    bank = Bank(every=5, most=3, matched=1)
    for index in range(23):
        doubtful = [1] if index in (5, 6, *range(10, 20)) else []
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), [1] if index == 0 else None, doubtful)
        if index == 19:
            assert bank.indices() == [0, 7, 19] and [index_of(r) for r in bank.to_match()] == [0, 7]
    assert bank.indices() == [0, 7, 20, 22]


def looking(*angles: float | None) -> torch.Tensor:
    """Looks (N, 2) that are as unlike as these angles, in degrees; None for an object that is not shown."""
    rows = [(0.0, 0.0) if a is None else (math.cos(math.radians(a)), math.sin(math.radians(a))) for a in angles]
    return torch.tensor(rows)


def test_novelty_by_hand():
    assert novelty([looking(0), looking(60), looking(180)]) == pytest.approx([1, 1, 3**0.5])
    assert novelty([looking(0, None), looking(0, 90), looking(0, 30)]) == pytest.approx([0, 1, 1], abs=1e-3)
    assert novelty([looking(0, None), looking(0, 90)]) == pytest.approx([0, 2])  # no other shows the second object
    assert novelty([looking(None), looking(None)]) == [0, 0]
    assert novelty([torch.zeros(0, 2)] * 2) == [0, 0]


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 359)), min_size=2, max_size=2), min_size=2, max_size=6))
def test_novelty_is_that_of_the_most_alike(angles):
    """Against the definition, object by object and frame by frame."""
    found = novelty([looking(*some) for some in angles])
    for i, mine in enumerate(angles):
        expected = [0.0]
        for o, angle in enumerate(mine):
            others = [a[o] for j, a in enumerate(angles) if j != i and a[o] is not None]
            if angle is not None:
                expected.append(min((2 * abs(math.sin(math.radians(angle - a) / 2)) for a in others), default=2.0))
        assert found[i] == pytest.approx(max(expected), abs=1e-3)


@given(st.lists(st.integers(0, 359), min_size=3, max_size=40), st.integers(1, 4))
def test_whatever_objects_look_like_the_bounds_hold(angles, most):
    bank = Bank(every=1, most=most, matched=1, looks=lambda seen: looking(angles[index_of(seen)]))
    last = len(angles) - 1
    for index in range(last):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index == 0 else None)
        held = bank.indices()
        assert held[0] == 0 and held[-1] == index and len(held) == min(index + 1, most + 1)
        assert [index_of(r) for r in bank.to_match()] == sorted({0, index})
    older = copy(bank)
    bank.remember(last, frame(last, {0: 0.5, 1: 0.5}), entry(last, [1]), given=[1])
    assert [index_of(r) for r in bank.to_match()] == [0, last] and set(held) < set(bank.indices())
    assert older.indices() == held and [index_of(r) for r in older.to_match()] == [0, last - 1]


def test_near_copies_go_before_what_is_new():
    """A short turn of the object outlives a long stretch in which it looks as it does on the user's frame."""
    turned = {20: 40, 25: 80}
    bank = Bank(every=5, most=3, looks=lambda seen: looking(turned.get(index_of(seen), index_of(seen) % 3)))
    for index in range(400):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index == 0 else None)
    assert bank.indices() == [0, 20, 25, 395, 399]


def test_of_frames_that_are_all_new_those_kept_stay_spread():
    """An object that turns steadily, which nothing but its time tells apart: no stretch is without for long."""
    bank = Bank(every=1, most=6, looks=lambda seen: looking(index_of(seen) / 4))
    for index in range(600):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index == 0 else None)
    held = bank.indices()
    assert len(held) == 7 and max(b - a for a, b in zip(held, held[1:])) <= 2 * 600 / 6


def test_looks_follow_the_objects():
    """Their channels change; an object that only a frame of old shows keeps that frame."""
    bank = Bank(every=1, most=2, looks=lambda seen: looking(0, 0 if index_of(seen) == 1 else None))
    objects = {0: 0.5, 1: 0.3, 2: 0.2}
    bank.remember(0, frame(0, objects), entry(0, [1, 2]), given=[1])
    bank.remember(1, frame(1, objects), entry(1, [1, 2]))
    bank.select([0, 2, None, 1])
    bank._looks = lambda seen: looking(None, None, 0)
    for index in range(2, 20):
        bank.remember(index, frame(index, dict.fromkeys(range(4), 0.25)), entry(index, [2, 3, 1]))
    assert bank.indices() == [0, 1, 19]


def test_what_a_correction_may_have_mended_is_matched_against_no_more():
    bank = Bank(every=2, most=3, matched=2)
    for index in range(8):
        bank.remember(index, frame(index, {0: 0.5, 1: 0.5}), entry(index, [1]), given=[1] if index in (0, 5) else None)
        expected = {3: [0, 2], 4: [0, 2, 4], 5: [0, 5], 6: [0, 5, 6]}.get(index)
        assert expected is None or [index_of(r) for r in bank.to_match()] == expected


def test_a_frame_given_twice_is_held_once_as_given_last():
    bank = Bank(every=1, most=3)
    bank.remember(0, frame(0, {0: 0.9, 1: 0.1}), entry(0, [1]), given=[1])
    bank.remember(1, frame(1, {0: 0.8, 1: 0.2}), entry(1, [1]))
    for share in (0.3, 0.4):
        bank.remember(1, frame(1, {0: 1 - share, 1: share}), entry(1, [1]), given=[1])
        assert bank.indices() == [0, 1] and len(bank.entries()) == 2
        assert [r.masks[0][1].item() for r in bank.references] == pytest.approx([0.1, share])
        assert bank.previous is bank.references[1]


def test_an_empty_bank_selects_and_lists_nothing():
    bank = Bank(every=5, most=6)
    bank.select([0, None])
    assert bank.entries() == [] and bank.indices() == [] and bank.references == [] and bank.previous is None


def test_masks_on_each_tenth_of_10000_frames_are_not_all_kept():
    """What is matched against stays the same; an object shown once, long ago, keeps the frame that shows it."""
    bank, shares = Bank(5, 3, 1), {0: 0.5, 1: 0.3, 2: 0.2}
    for index in range(10_000):
        given = None if index % 10 else [1, 2] if index == 50 else [1]
        bank.remember(index, frame(index, shares), entry(index, [1, 2]), given)
        assert len(bank.references) <= 9 and len(bank.to_match()) <= 10 and len(bank.entries()) <= 13
    assert [index_of(r) for r in bank.references] == [0, 50, *range(9930, 10_000, 10)]


def test_objects_shown_once_each_keep_their_frames_beside_the_newest():
    bank, objects = Bank(5, 3), list(range(1, 11))
    shares = dict.fromkeys((0, *objects), 1 / 11)
    for index in range(30):  # ten objects one after the other, then twenty masks of the last alone
        bank.remember(index, frame(index, shares), None, [min(index + 1, 10)])
    assert [index_of(r) for r in bank.references] == [*range(9), *range(23, 30)]
