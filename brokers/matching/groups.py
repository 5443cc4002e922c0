"""How the orders of a bracket, OCO or OTO hang together: pure, (group, what happened) -> (group, effects).

Two sizes describe a leg. Its `quantity` is the most it can ever fill; `live` is how much of that is in force.
Under a parent that has filled in part a leg is live for its share of what the parent filled. With `reduce_size`
a leg shrinks by what its siblings fill and lives on with what is left; without, the first fill of a leg ends its
siblings, and its parent too, since nothing would protect what the parent went on to add. When the parent's
quantity is changed its legs keep their proportion to it. A leg that is refused when its turn comes leaves its
siblings alone: a stop survives the refusal of its target.
"""

from decimal import Decimal
from typing import Any

import attrs

from brokers.matching.events import CancelReason
from brokers.matching.prices import ZERO, floor_to
from brokers.model import GroupKind


@attrs.frozen
class Parent:
    """The order that wakes the legs."""

    quantity: Decimal
    filled: Decimal = ZERO


@attrs.frozen
class Leg:
    """One child; `ended` means over by request or time, which ends its siblings, unlike a refusal."""

    quantity: Decimal  # before what its siblings take away
    lot: Decimal
    size: Decimal  # the quantity that its order shows
    waits: bool = False  # sleeps until the parent is over
    filled: Decimal = ZERO
    live: Decimal = ZERO
    over: bool = False
    ended: bool = False


@attrs.frozen
class Group:
    """The state of one group; `parent` is None once it is over, and from the start in an OCO."""

    kind: GroupKind
    reduce_size: bool
    parent: Parent | None
    legs: tuple[Leg, ...]

    @property
    def exclusive(self) -> bool:
        """Whether one leg's end is the others' end."""
        return self.kind is not GroupKind.OTO

    @property
    def over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.parent is None and all(leg.over for leg in self.legs)


@attrs.frozen
class SetSize:
    """A leg gets its sizes; `activates` if none of it was in force before."""

    leg: int
    quantity: Decimal
    live: Decimal
    activates: bool


@attrs.frozen
class End:
    """A leg, or the parent for None, is to be canceled."""

    leg: int | None
    reason: CancelReason


Effects = tuple[SetSize | End, ...]


def parent_filled(group: Group, quantity: Decimal) -> tuple[Group, Effects]:
    """The parent filled some more; with all of it filled the parent is over."""
    if group.parent is None:
        return group, ()
    parent = attrs.evolve(group.parent, filled=group.parent.filled + quantity)
    group = attrs.evolve(group, parent=parent)
    return parent_over(group) if parent.filled >= parent.quantity else _settle(group)


def parent_over(group: Group) -> tuple[Group, Effects]:
    """The parent fills no more: its legs are worth what it filled, and a leg worth nothing ends."""
    return _settle(_without_parent(group))


def leg_filled(group: Group, leg: int, quantity: Decimal) -> tuple[Group, Effects]:
    """A leg filled some more."""
    filled = group.legs[leg].filled + quantity
    over = filled >= _most(group, leg)
    return _settle(_with_leg(group, leg, filled=filled, over=over))


def leg_over(group: Group, leg: int, *, ended: bool) -> tuple[Group, Effects]:
    """A leg was canceled or expired (`ended`), or was refused."""
    if group.legs[leg].over:
        return group, ()
    return _settle(_with_leg(group, leg, over=True, ended=ended))


def resized(group: Group, leg: int | None, quantity: Decimal) -> tuple[Group, Effects]:
    """The owner changed the quantity of a leg, or of the parent for None."""
    if leg is not None:
        own = quantity + _siblings_filled(group, leg)
        return _settle(_with_leg(group, leg, quantity=own, size=quantity))
    if group.parent is None:
        return group, ()
    factor = quantity, group.parent.quantity
    parent = attrs.evolve(group.parent, quantity=quantity)
    legs = tuple(attrs.evolve(this, quantity=_scaled(this, *factor)) for this in group.legs)
    return _settle(attrs.evolve(group, parent=parent, legs=legs))


def _with_leg(group: Group, leg: int, **facts: Any) -> Group:
    changed = attrs.evolve(group.legs[leg], **facts)
    return attrs.evolve(group, legs=(*group.legs[:leg], changed, *group.legs[leg + 1 :]))


def _scaled(leg: Leg, part: Decimal, whole: Decimal) -> Decimal:
    return leg.quantity if part == whole else floor_to(leg.quantity * part / whole, leg.lot)


def _without_parent(group: Group) -> Group:
    legs = tuple(attrs.evolve(leg, quantity=_share(group, leg), waits=False) for leg in group.legs)
    return attrs.evolve(group, parent=None, legs=legs)


def _share(group: Group, leg: Leg) -> Decimal:
    """What a leg is worth by its parent's fills."""
    parent = group.parent
    return leg.quantity if parent is None else _scaled(leg, parent.filled, parent.quantity)


def _siblings_filled(group: Group, leg: int) -> Decimal:
    if not group.exclusive:
        return ZERO
    return sum((other.filled for index, other in enumerate(group.legs) if index != leg), ZERO)


def _most(group: Group, leg: int) -> Decimal:
    """The most a leg can ever fill."""
    return group.legs[leg].quantity - _siblings_filled(group, leg)


def _live(group: Group, leg: int) -> Decimal:
    """How much of a leg is in force now."""
    this = group.legs[leg]
    if this.waits and group.parent is not None:
        return ZERO
    return max(_share(group, this) - _siblings_filled(group, leg), this.filled)


def _reason_to_end(group: Group, leg: int) -> CancelReason | None:
    others = [other for index, other in enumerate(group.legs) if index != leg]
    if group.exclusive and any(other.ended for other in others):
        return CancelReason.SIBLING_ENDED
    traded = group.exclusive and any(other.filled for other in others)
    if traded and not group.reduce_size:
        return CancelReason.SIBLING_TRADED
    if _most(group, leg) <= group.legs[leg].filled:
        return CancelReason.SIBLING_TRADED if traded else CancelReason.PARENT_ENDED
    return None


def _settle(group: Group) -> tuple[Group, Effects]:
    """Brings every leg to the state that the facts ask for."""
    effects: list[SetSize | End] = []
    one_exit = group.exclusive and not group.reduce_size
    if group.parent is not None and one_exit and any(leg.filled for leg in group.legs):
        effects.append(End(None, CancelReason.EXIT_TRADED))
        group = _without_parent(group)
    for index, leg in enumerate(group.legs):
        if leg.over:
            continue
        reason = _reason_to_end(group, index)
        if reason is not None:
            effects.append(End(index, reason))
            group = _with_leg(group, index, over=True)
            continue
        size, live = _most(group, index), _live(group, index)
        if (size, live) != (leg.size, leg.live):
            effects.append(SetSize(index, size, live, activates=leg.live <= leg.filled < live))
            group = _with_leg(group, index, size=size, live=live)
    return group, tuple(effects)
