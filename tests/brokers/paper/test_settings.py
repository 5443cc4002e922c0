"""The settings of a paper broker: faults with a known rate, and nothing that could lead to a live account."""

import random

import attrs
import pytest

from brokers.capability import Environment
from brokers.matching import Latency
from brokers.paper import CAPABILITY, PLAN, PaperAccount, PaperFaults, PaperSettings, open_paper
from brokers.sides import Side
from tests.brokers.desk import CALM, Desk, scene

ANYTHING_LIVE = ("host", "url", "port", "key", "secret", "token", "password", "user", "login", "credential", "environ")


def fields_of(cls: type[attrs.AttrsInstance]) -> list[str]:
    return [field.name for field in attrs.fields(cls)]


@pytest.mark.parametrize("cls", [PaperSettings, PaperAccount, PaperFaults])
def test_P12_S43_paper_settings_have_no_field_for_a_host_or_a_credential(cls: type[attrs.AttrsInstance]) -> None:
    assert [name for name in fields_of(cls) for word in ANYTHING_LIVE if word in name] == []
    for name in ("host", "url", "token", "environment"):
        with pytest.raises(TypeError):
            cls(**{name: "live.example"})


def test_P12_the_paper_broker_is_a_type_of_its_own_that_names_no_live_environment() -> None:
    assert CAPABILITY.environments == frozenset({Environment.PAPER})
    assert (PLAN.settings, PLAN.open) == (PaperSettings, open_paper)


def test_P12_I25_a_paper_broker_never_touches_the_network_or_the_disk() -> None:
    async def play(desk: Desk) -> tuple[object, ...]:
        await desk.submit(desk.order(Side.BUY, 1))
        await desk.broker.subscribe(desk.source, "ESZ26")
        await desk.broker.flatten(desk.account)
        return desk.world.network.statistics().links_opened, desk.world.network.statistics().connects_failed

    result = scene(play)
    assert result.unwrap() == (0, 0)
    assert result.events == 0, "the trace holds every use of the simulated network and disk"


def test_no_faults_means_none_at_all() -> None:
    none = PaperFaults.none()
    assert (none.reject, none.thin, none.slow_ack, none.disconnects_per_hour) == (0, 0, 0, 0)
    usual = Latency((5, 6))
    assert none.ack_latency(usual, random.Random(1)) is usual


def test_P11_the_default_injects_each_kind_of_fault_at_a_low_rate() -> None:
    faults = PaperFaults()
    for share in (faults.reject, faults.thin, faults.slow_ack):
        assert 0 < share <= 0.05
    assert 0 < faults.disconnects_per_hour <= 1


def test_times_raises_every_fault_and_no_share_above_one() -> None:
    twice, always = PaperFaults().times(2), PaperFaults().times(10_000)
    assert (twice.reject, twice.thin, twice.slow_ack, twice.disconnects_per_hour) == (0.004, 0.1, 0.02, 1.0)
    assert (always.reject, always.thin, always.slow_ack) == (1, 1, 1)
    assert PaperFaults().times(0) == PaperFaults.none()


@pytest.mark.parametrize("share", [0.01, 0.25, 0.6, 0.75, 1.0])
def test_the_share_of_slow_answers_is_what_was_asked_for(share: float) -> None:
    latency = PaperFaults(slow_ack=share, slow_ack_ns=9).ack_latency(Latency((1, 2, 3)), random.Random(1))
    assert latency.samples.count(9) == round(share * len(latency.samples))


@pytest.mark.parametrize("name", ["reject", "thin", "slow_ack"])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused_with_its_name(name: str, share: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*, expected a share from 0 to 1"):
        PaperFaults(**{name: share})  # type: ignore[arg-type]


def test_other_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="disconnects_per_hour"):
        PaperFaults(disconnects_per_hour=-1)
    with pytest.raises(ValueError, match="keep"):
        PaperSettings(keep=0)


def test_settings_are_values_that_cannot_be_changed_from_afar() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        CALM.seed = 2  # type: ignore[misc]
    assert PaperSettings().fees_by_kind is not PaperSettings().fees_by_kind
