"""The limits of the configuration in the words of the risk gate; one that is not set becomes the greatest number."""

from decimal import Decimal
from typing import Any, Final

from config.settings import PortfolioRisk, SessionRisk, SessionSettings
from sessions.risk.limits import Limits, PortfolioLimits, Window

UNLIMITED: Final = Decimal(10**15)
_MARKETS: Final = {"any": "any", "session": "regular"}


def session_limits(settings: SessionSettings) -> Limits:
    """What one session may do."""
    risk = settings.risk
    return Limits(
        order_quantity=_or_unlimited(risk.max_order_quantity),
        position=_or_unlimited(risk.max_position),
        positions=risk.max_position_of,
        price_band_percent=risk.price_band_percent,
        price_band_ticks=risk.price_band_ticks,
        stale_ms=risk.stale_ms,
        stale_ms_of=risk.stale_ms_of,
        symbols=risk.symbols or settings.symbols,
        **_shared(risk),
        **_hours(risk.hours),
    )


def portfolio_limits(risk: PortfolioRisk) -> PortfolioLimits:
    """What all sessions may do together."""
    return PortfolioLimits(order_quantity=UNLIMITED, position=UNLIMITED, symbols=risk.symbols, **_shared(risk))


def _shared(risk: SessionRisk | PortfolioRisk) -> dict[str, Any]:
    return {
        "order_notional": risk.max_order_notional,
        "exposure": risk.max_exposure,
        "daily_loss": risk.max_daily_loss,
        "loss_calendar": risk.loss_calendar,
        "open_orders": risk.max_open_orders,
        "orders_per_minute": risk.orders_per_minute,
        "orders_per_second": risk.order_burst,
    }


def _hours(text: str) -> dict[str, Any]:
    if text in _MARKETS:
        return {"market": _MARKETS[text]}
    span, zone = text.split(" ")
    start, end = span.split("-")
    if start < end:
        return {"windows": (Window(zone, start, end),)}
    return {"windows": tuple(Window(zone, *part) for part in ((start, "24:00"), ("00:00", end)) if part[0] != part[1])}


def _or_unlimited(limit: Decimal | None) -> Decimal:
    return UNLIMITED if limit is None else limit
