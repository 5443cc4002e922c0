"""All settings in one record, and how its shape is asked: which keys there are, of which type, with which words."""

import typing
from collections.abc import Mapping
from types import NoneType
from typing import Any

import attrs

from config.lines import Path
from config.settings.brokers import PAPER, BrokerSettings
from config.settings.fields import BY_NAME, RESTART, SENTENCE, Field, setting
from config.settings.risk import PortfolioRisk
from config.settings.sections import (
    DaemonSettings,
    HealthSettings,
    JournalSettings,
    StrategiesSettings,
    VaultSettings,
)
from config.settings.sessions import SessionSettings


def embedded_brokers() -> dict[str, BrokerSettings]:
    """What there is when no broker is configured: a paper broker with a synthetic market."""
    return {PAPER: BrokerSettings(kind=PAPER, accounts=("paper-1",))}


@attrs.frozen
class Settings:
    """Everything that can be set."""

    daemon: DaemonSettings = setting("The process.", DaemonSettings())
    journal: JournalSettings = setting("The record of everything that happened.", JournalSettings())
    vault: VaultSettings = setting("The store of credentials.", VaultSettings())
    strategies: StrategiesSettings = setting("Where strategies come from.", StrategiesSettings())
    health: HealthSettings = setting("What is watched.", HealthSettings())
    risk: PortfolioRisk = setting("The limits of all sessions together.", PortfolioRisk())
    brokers: Mapping[str, BrokerSettings] = setting("The brokers by name.", factory=embedded_brokers)
    sessions: Mapping[str, SessionSettings] = setting("The sessions by name.", factory=dict)


def fields(record: type[Any]) -> Mapping[str, Field]:
    """The settings of a record by key."""
    return {field.name: field for field in attrs.fields(record)}


def record_of(field: Field) -> type[Any] | None:
    """The record that a key holds as a table, None for any other type."""
    kind = value_type(field)
    return kind if attrs.has(kind) else None


def named_record_of(field: Field) -> type[Any] | None:
    """The record that stands under each name of a key, as under `brokers`; None for any other type."""
    inner = typing.get_args(field.type)
    return inner[1] if is_table(field) and attrs.has(inner[1]) else None


def is_table(field: Field) -> bool:
    """Whether a key holds a table whose own keys are free."""
    return typing.get_origin(field.type) is Mapping


def value_type(field: Field) -> Any:
    """The type of a key's value where it is set."""
    members = [kind for kind in typing.get_args(field.type) if kind is not NoneType]
    return members[0] if NoneType in typing.get_args(field.type) else field.type


def sentence(field: Field) -> str:
    """What a key means."""
    return str(field.metadata[SENTENCE])


def needs_restart(field: Field) -> bool:
    """Whether a change of the key waits for the next start of the daemon."""
    return bool(field.metadata[RESTART])


def is_set_by_name(field: Field) -> bool:
    """Whether an environment variable may name one entry of the key's table."""
    return bool(field.metadata[BY_NAME])


def field_at(path: Path) -> Field | None:
    """The field that a path of keys leads to, names of brokers and sessions included; None where there is none."""
    record: type[Any] | None = Settings
    steps = list(path)
    field = None
    while steps and record is not None:
        field = fields(record).get(steps.pop(0))
        if field is None:
            return None
        record = record_of(field)
        if record is None and (record := named_record_of(field)) is not None and steps:
            steps.pop(0)
            field = None
    return field if not steps else None
