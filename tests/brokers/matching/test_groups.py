"""The pure logic of groups: whatever happens to its orders, exits never outgrow entries and none is left behind."""

import os
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.matching.events import CancelReason
from brokers.matching.groups import (
    Effects,
    End,
    Group,
    Leg,
    Parent,
    SetSize,
    leg_filled,
    leg_over,
    parent_filled,
    parent_over,
    resized,
)
from brokers.model import GroupKind

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
D = Decimal


def _group(kind: GroupKind, *quantities: int, reduce_size: bool = False, waits: bool = False) -> Group:
    """A group of legs under a parent of 10, or an OCO of them."""
    alone = kind is GroupKind.OCO
    legs = tuple(Leg(D(q), D(1), size=D(q), waits=waits, live=D(q) if alone else D(0)) for q in quantities)
    return Group(kind, reduce_size, None if alone else Parent(D(10)), legs)


def test_a_leg_of_a_third_is_live_by_whole_lots_of_its_share() -> None:
    group, effects = parent_filled(_group(GroupKind.OTO, 3), D(5))
    assert effects == (SetSize(0, D(3), D(1), activates=True),)
    group, effects = parent_filled(group, D(5))
    assert effects == (SetSize(0, D(3), D(3), activates=False),)
    assert group.parent is None


def test_a_leg_worth_less_than_a_lot_ends_with_its_parent() -> None:
    group, effects = parent_filled(_group(GroupKind.OTO, 1), D(5))
    assert effects == ()
    group, effects = parent_over(group)
    assert effects == (End(0, CancelReason.PARENT_ENDED),)
    assert group.over


def test_legs_of_different_sizes_shrink_by_what_the_other_fills() -> None:
    group, effects = leg_filled(_group(GroupKind.OCO, 10, 6, reduce_size=True), 0, D(4))
    assert effects == (SetSize(1, D(2), D(2), activates=False),)
    group, effects = leg_filled(group, 1, D(2))
    assert effects == (SetSize(0, D(8), D(8), activates=False),)


def test_a_leg_changed_by_its_owner_goes_on_shrinking_from_there() -> None:
    group, _ = leg_filled(_group(GroupKind.OCO, 10, 10, reduce_size=True), 0, D(4))
    group, effects = resized(group, 1, D(5))
    assert effects == (SetSize(1, D(5), D(5), activates=False),)
    _, effects = leg_filled(group, 0, D(3))
    assert effects == (SetSize(1, D(2), D(2), activates=False),)


def test_a_refused_leg_ends_nothing() -> None:
    group, effects = leg_over(_group(GroupKind.OCO, 10, 10), 0, ended=False)
    assert effects == ()
    assert not group.over


def test_what_happens_to_a_group_that_is_over_has_no_effect() -> None:
    group, effects = leg_over(_group(GroupKind.OCO, 10, 10), 0, ended=True)
    assert effects == (End(1, CancelReason.SIBLING_ENDED),)
    assert group.over
    for outcome in (leg_over(group, 1, ended=True), parent_over(group), parent_filled(group, D(1))):
        assert outcome == (group, ())
    assert resized(group, None, D(3)) == (group, ())


class _Owner:
    """Does what the effects say, as the venue does, and lets only happen what can."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.parent_open = group.parent is not None
        self.parent_filled = D(0)
        self.sizes = [leg.size for leg in group.legs]
        self.live = [leg.live for leg in group.legs]
        self.filled = [D(0) for _ in group.legs]
        self.open = [True for _ in group.legs]

    def take(self, outcome: tuple[Group, Effects]) -> None:
        self.group, effects = outcome
        for effect in effects:
            if isinstance(effect, SetSize):
                assert self.open[effect.leg], "only an open leg is sized"
                assert effect.activates == (self.live[effect.leg] <= self.filled[effect.leg] < effect.live)
                self.sizes[effect.leg], self.live[effect.leg] = effect.quantity, effect.live
            elif effect.leg is None:
                assert self.parent_open
                self.parent_open = False
            else:
                assert self.open[effect.leg], "nothing ends twice"
                self.open[effect.leg] = False

    def fill_parent(self, quantity: int) -> None:
        size = min(D(quantity), D(10) - self.parent_filled)
        if self.parent_open and size > 0:
            self.parent_filled += size
            self.parent_open = self.parent_filled < 10
            self.take(parent_filled(self.group, size))

    def end_parent(self) -> None:
        if self.parent_open:
            self.parent_open = False
            self.take(parent_over(self.group))

    def fill_leg(self, leg: int, quantity: int) -> None:
        size = min(D(quantity), self.live[leg] - self.filled[leg])
        if self.open[leg] and size > 0:
            self.filled[leg] += size
            self.open[leg] = self.filled[leg] < self.sizes[leg]
            self.take(leg_filled(self.group, leg, size))

    def end_leg(self, leg: int, *, ended: bool) -> None:
        if self.open[leg]:
            self.open[leg] = False
            self.take(leg_over(self.group, leg, ended=ended))


_HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("fill_parent"), st.integers(1, 10)),
        st.tuples(st.just("fill_leg"), st.integers(0, 1), st.integers(1, 10)),
        st.tuples(st.just("end_parent")),
        st.tuples(st.just("end_leg"), st.integers(0, 1), st.booleans()),
    ),
    max_size=12,
)


@settings(max_examples=300 * NIGHTLY, deadline=None)
@given(st.sampled_from(GroupKind), st.booleans(), st.booleans(), _HAPPENINGS)
def test_exits_never_outgrow_entries_and_no_orphan_lives(
    kind: GroupKind, reduce_size: bool, waits: bool, happenings: list[tuple[str | int | bool, ...]]
) -> None:
    owner = _Owner(_group(kind, 10, 10, reduce_size=reduce_size, waits=waits))
    for happening in happenings:
        match happening:
            case ("fill_parent", int(quantity)):
                owner.fill_parent(quantity)
            case ("fill_leg", int(leg), int(quantity)):
                owner.fill_leg(leg, quantity)
            case ("end_parent",):
                owner.end_parent()
            case ("end_leg", int(leg), bool(ended)):
                owner.end_leg(leg, ended=ended)
        _check(owner, kind, reduce_size=reduce_size)


def _check(owner: _Owner, kind: GroupKind, *, reduce_size: bool) -> None:
    has_parent = kind is not GroupKind.OCO
    entered = owner.parent_filled if has_parent else D(10)
    exclusive = kind is not GroupKind.OTO
    for leg, is_open in enumerate(owner.open):
        assert owner.filled[leg] <= owner.live[leg] <= max(entered, owner.filled[leg])
        if is_open and not owner.parent_open:
            assert owner.live[leg] == owner.sizes[leg] > owner.filled[leg], "an open leg has something left to do"
    if exclusive:
        assert sum(owner.filled) <= entered
        assert reduce_size or sum(1 for filled in owner.filled if filled) <= 1
        exposed = sum(owner.filled) < entered
        if any(owner.open) and not owner.parent_open:
            assert exposed, "no exit lives on when everything is out"
    assert owner.group.over == (not owner.parent_open and not any(owner.open))
