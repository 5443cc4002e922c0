"""All settings of the daemon: one typed schema, read from files and environment, shown and compared.

What only people ask for stands apart, so that the daemon does not load it: `config.settings.questions` for init and
`config.settings.document` for the manual.
"""

from config.settings.brokers import BrokerSettings, FaultSettings, PaperMarket
from config.settings.changes import Changes, Names, diff
from config.settings.files import read_source, read_sources
from config.settings.folders import Folders, FoldersUnknown, UnsafePlace, folders, prepare
from config.settings.layers import Origin, Source
from config.settings.loading import Loaded, check, load
from config.settings.risk import PortfolioRisk, SessionRisk
from config.settings.schema import Settings
from config.settings.sections import (
    DaemonSettings,
    HealthSettings,
    JournalSettings,
    StrategiesSettings,
    VaultSettings,
)
from config.settings.sessions import SessionSettings
from config.settings.showing import show

__all__ = [
    "BrokerSettings",
    "Changes",
    "DaemonSettings",
    "FaultSettings",
    "Folders",
    "FoldersUnknown",
    "HealthSettings",
    "JournalSettings",
    "Loaded",
    "Names",
    "Origin",
    "PaperMarket",
    "PortfolioRisk",
    "SessionRisk",
    "SessionSettings",
    "Settings",
    "Source",
    "StrategiesSettings",
    "UnsafePlace",
    "VaultSettings",
    "check",
    "diff",
    "folders",
    "load",
    "prepare",
    "read_source",
    "read_sources",
    "show",
]
