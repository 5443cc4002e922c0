"""Limits as they stand in a file: read strictly, with defaults that are small."""

from decimal import Decimal

import pytest

from config.reading import ConfigError
from sessions.risk.limits import Limits, PortfolioLimits, Window, parse_risk

D = Decimal
TEXT = """
[portfolio]
daily_loss = "2500"

[sessions.es-trend]
order_quantity = "2"
price_band_ticks = 40
symbols = ["ES", "NQZ26"]
market = "extended"
positions = { ES = "4" }
stale_ms_of = { ES = 800 }
loss_reset = "operator"
loss_calendar = "cme_equity"

[[sessions.es-trend.windows]]
zone = "America/Chicago"
start = "08:30"
end = "15:00"
days = ["mon", "tue"]
"""


def test_limits_are_read_and_what_is_not_named_keeps_its_safe_default() -> None:
    file = parse_risk(TEXT, "risk.toml")
    assert file.portfolio == PortfolioLimits(daily_loss=D(2500))
    assert file.sessions["es-trend"] == Limits(
        order_quantity=D(2),
        price_band_ticks=40,
        symbols=("ES", "NQZ26"),
        market="extended",
        positions={"ES": D(4)},
        stale_ms_of={"ES": 800},
        loss_reset="operator",
        loss_calendar="cme_equity",
        windows=(Window("America/Chicago", "08:30", "15:00", ("mon", "tue")),),
    )


def test_b23_the_default_age_of_a_quote_is_five_seconds() -> None:
    assert Limits().stale_ms == 5_000


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('order_quantity = "-1"', "risk.toml:3: sessions.es.order_quantity: expected a decimal of at least 0"),
        ("exposure = 1.5", "risk.toml:3: sessions.es.exposure: expected a decimal in quotes"),
        ("open_orders = -1", "risk.toml:3: sessions.es.open_orders: expected a whole number of at least 0"),
        ('positions = { ES = "-4" }', "sessions.es.positions.ES: expected a decimal of at least 0"),
        ('loss_reset = "never"', "sessions.es.loss_reset: expected one of trading_day, operator"),
        ('order_size = "1"', "sessions.es.order_size: expected one of daily_loss"),
        ('windows = [{ zone = "Mars", start = "08:30", end = "09:00" }]', "expected a time zone such as"),
        ('windows = [{ zone = "UTC", start = "8:30", end = "09:00" }]', "expected a time such as 09:30"),
        ('windows = [{ zone = "UTC", start = "09:30", end = "09:00" }]', "expected a time after the start at 09:30"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_its_place(line: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_risk(f"\n[sessions.es]\n{line}\n", "risk.toml")
    assert complaint in str(refused.value)
