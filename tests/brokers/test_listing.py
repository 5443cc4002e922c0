"""Which brokers there are: shipped, and added from outside without a change here."""

from importlib import metadata
from importlib.metadata import EntryPoint

import attrs
import pytest

from brokers import paper
from brokers.listing import GROUP, BadPlan, UnknownBroker, broker_names, broker_plan

OTHER = attrs.evolve(paper.PLAN, name="other")


def outside(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    def entry_points(*, group: str) -> tuple[EntryPoint, ...]:
        assert group == "pitboss.brokers"
        return tuple(EntryPoint(name, value, group) for name, value in entries)

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def test_the_paper_broker_is_shipped() -> None:
    assert "paper" in broker_names()
    assert broker_plan("paper") is paper.PLAN


def test_an_installed_package_adds_a_broker_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, ("other", "tests.brokers.test_listing:OTHER"))
    assert broker_names()[-1] == "other"
    assert broker_plan("other").name == "other"


def test_a_shipped_broker_cannot_be_replaced_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, ("paper", "tests.brokers.test_listing:OTHER"))
    assert broker_plan("paper") is paper.PLAN
    assert broker_names().count("paper") == 1


def test_an_unknown_name_says_which_there_are_and_how_to_add_one() -> None:
    with pytest.raises(UnknownBroker, match=f"no broker is named 'nosuch'.*paper.*{GROUP}") as caught:
        broker_plan("nosuch")
    assert (caught.value.name, "paper" in caught.value.known) == ("nosuch", True)


@pytest.mark.parametrize("value", ["tests.brokers.test_listing:GROUP", "tests.brokers.test_listing:OTHER"])
def test_an_entry_that_leads_to_no_plan_of_its_name_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    outside(monkeypatch, ("wrong", value))
    with pytest.raises(BadPlan, match="expected a BrokerPlan named 'wrong', got"):
        broker_plan("wrong")


def test_nothing_is_imported_until_a_broker_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, ("broken", "no.such.module:PLAN"))
    assert "broken" in broker_names()
    with pytest.raises(ModuleNotFoundError):
        broker_plan("broken")
