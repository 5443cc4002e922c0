"""One configured broker: a kind, a login, an environment and the accounts that may be used there."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import attrs

from config.settings.fields import (
    ACCOUNT,
    AMOUNT,
    IDENTIFIER,
    LOGIN,
    NAME,
    SYMBOL,
    Check,
    Each,
    Entries,
    matching,
    setting,
    within,
)

PAPER = "paper"
_LOOPBACK = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\]):([1-9][0-9]{0,4})")


def _is_loopback(text: str) -> bool:
    form = _LOOPBACK.fullmatch(text)
    return form is not None and int(form[3]) <= 65535 and all(int(part) <= 255 for part in re.findall(r"\d+", form[1]))


SHARE = Check('a share from "0" to "1"', lambda value: 0 <= value <= 1)
OFTEN = Check('a number from "0" to "3600"', lambda value: 0 <= value <= 3600)
HOST = Check("an emulator on this machine, such as 127.0.0.1:8443", _is_loopback)
CURRENCY = matching(r"[A-Z]{3,5}", "a currency such as USD")


@attrs.frozen
class FaultSettings:
    """What goes wrong at a paper broker on purpose, and how often."""

    reject: Decimal = setting("The share of orders that is refused.", Decimal("0.002"), SHARE)
    thin: Decimal = setting("The share of quotes that shows a tenth of its size.", Decimal("0.05"), SHARE)
    slow_ack: Decimal = setting("The share of answers that is slow.", Decimal("0.01"), SHARE)
    slow_ack_ms: int = setting("How late a slow answer is.", 750, within(1, 60000))
    disconnects_per_hour: Decimal = setting("How often the line goes down.", Decimal("0.5"), OFTEN)
    disconnect_ms: int = setting("How long it is down.", 3000, within(1, 600000))


@attrs.frozen
class PaperMarket:
    """The market of a paper broker."""

    seed: int = setting("What its synthetic prices and its faults are drawn from.", 1, within(0, 2**63 - 1))
    symbols: tuple[str, ...] = setting(
        "The symbols that are traded; a root is its front contract; none named, well-known roots.", (), Each(SYMBOL)
    )
    currency: str = setting("The currency of its accounts.", "USD", CURRENCY)
    deposit: Decimal = setting("What each account holds at the start.", Decimal(100_000), AMOUNT)
    faults: FaultSettings = setting("What goes wrong on purpose.", FaultSettings())


@attrs.frozen
class BrokerSettings:
    """A broker under a name of your own, `[brokers.NAME]`."""

    kind: str = setting("Which broker it is, as listed by `pitboss brokers`; paper is the embedded one.", check=NAME)
    accounts: tuple[str, ...] = setting(
        "The accounts that sessions may use; none of a broker that only has prices.", (), Each(ACCOUNT)
    )
    login: str = setting("The login whose credentials the vault keeps.", "main", LOGIN)
    environment: Literal["paper", "live"] = setting(
        "Whether orders move real money; live must be stated in a file and needs `pitboss arm` besides.", "paper"
    )
    hosts: Mapping[str, str] = setting(
        "Emulators in place of the broker's hosts, by the name that the broker gives them.",
        factory=dict,
        check=Entries(IDENTIFIER, HOST),
        by_name=True,
    )
    acts_within_ms: int | None = setting(
        "How soon an emulator has certainly acted on a request; not set, as late as the broker itself might.",
        None,
        within(100, 600000),
    )
    market: PaperMarket | None = setting(
        "The market of a paper broker; any other broker has its own.",
        attrs.Factory(lambda broker: PaperMarket() if broker.kind == PAPER else None, takes_self=True),
    )
