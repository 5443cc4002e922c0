"""The codec: everything of the model goes out and comes back equal; nothing doubtful comes in."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from brokers import instruments, market, model
from brokers.codec import Mismatch, decode, encode, structure, tag, unstructure
from brokers.market import Bar, Interval, MarketEvent
from brokers.model import Fill, GroupKind, Order, OrderGroup, OrderType
from brokers.order_events import CancelRefused, Event, Filled
from brokers.order_schema import order_schema, order_schema_text
from brokers.sides import Side
from brokers.strict_json import MAX_BYTES, MAX_DEPTH, MAX_NUMBER, InvalidJson, parse
from tests.brokers.model_strategies import NIGHTLY, anything, refusal

ORDER = Order("K1", "ESZ26", Side.BUY, OrderType.LIMIT, Decimal(3), limit_price=Decimal("4500.25"))
PLAIN = json.loads(encode(ORDER))
KINDS = [
    kind
    for module in (model, market, instruments)
    for kind in vars(module).values()
    if attrs.has(kind) and kind.__module__ == module.__name__
]
EVENTS = get_args(Event)
VALIDATOR = Draft202012Validator(order_schema())


def changed(**fields: Any) -> str:
    return json.dumps(PLAIN | fields)


def faults(document: str | bytes, kind: Any = Order) -> dict[str, str]:
    with pytest.raises(InvalidJson) as caught:
        decode(document, kind)
    return {fault.path: fault.text for fault in caught.value.faults}


# Out and back.


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30 * NIGHTLY, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_every_class_of_the_model_comes_back_equal(kind: Any, data: st.DataObject) -> None:
    value = data.draw(anything(kind))
    text = encode(value)
    assert decode(text, kind) == value
    assert decode(text.encode(), kind) == value
    assert encode(decode(text, kind)) == text


@pytest.mark.parametrize("kind", [*EVENTS, *get_args(MarketEvent)])
@settings(max_examples=15 * NIGHTLY, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_every_event_comes_back_equal_and_of_its_own_kind(kind: Any, data: st.DataObject) -> None:
    union = Event if kind in EVENTS else MarketEvent
    value = data.draw(anything(kind))
    back: object = decode(encode(value, union), union)
    assert type(back) is kind
    assert back == value


def test_the_form_is_decimals_as_strings_times_as_integers_enums_by_value_and_intervals_as_text() -> None:
    fill = Fill("X1", "paper", "A1", "ESZ26", Side.SELL, Decimal("1E+3"), Decimal("-0.50"), 1_700_000_000_000_000_000)
    plain = json.loads(encode(Filled(fill), Event))
    assert plain["type"] == "filled"
    assert (plain["fill"]["quantity"], plain["fill"]["price"]) == ("1000", "-0.50")
    assert (plain["fill"]["side"], plain["fill"]["time_ns"]) == ("sell", 1_700_000_000_000_000_000)
    one = Decimal(1)
    bar = Bar("ES", Interval.parse("15m"), one, one, one, one, one, 0)
    assert unstructure(bar)["interval"] == "15m"


def test_fields_with_defaults_may_be_left_out() -> None:
    least = {key: PLAIN[key] for key in ("key", "symbol", "side", "type", "quantity")}
    assert decode(json.dumps(least), Order) == attrs.evolve(ORDER, limit_price=None)


def test_tags_are_the_names_in_small_letters() -> None:
    assert tag(CancelRefused) == "cancel_refused"
    assert len({tag(member) for member in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1E+999999", "1E-999", "1" * 65])
def test_what_has_no_json_form_does_not_go_out(number: str) -> None:
    with pytest.raises(Mismatch):
        encode(attrs.evolve(ORDER, quantity=Decimal(number)))
    with pytest.raises(Mismatch, match="surrogate"):
        encode(attrs.evolve(ORDER, key="\ud800"))


# In: types.

AS_STRING = 'expected a decimal as a string of at most 64 characters, such as "4500.25", got '


@pytest.mark.parametrize(
    "raw",
    [1, 1.5, True, None, [], {}, "", "NaN", "Infinity", "-inf", "1e5", "1E5", "+1", " 1", "1 ", "1\n", "01", ".5", "5.",
     "1_000", "0x10", "1,5", "\u0661", "--1", "9" * 65, "0." + "0" * 63],
)  # fmt: skip
def test_s37_only_a_plain_decimal_string_is_a_decimal(raw: object) -> None:
    assert faults(changed(quantity=raw))["$.quantity"].startswith(AS_STRING)


@pytest.mark.parametrize(
    ("field", "raw", "expected"),
    [
        ("key", 5, "text"),
        ("key", None, "text"),
        ("side", "BUY", "one of buy, sell"),
        ("side", 1, "one of buy, sell"),
        ("type", ["limit"], "one of market"),
        ("expires_ns", "5", "an integer of 64 bits"),
        ("expires_ns", 1.0, "an integer of 64 bits"),
        ("expires_ns", True, "an integer of 64 bits"),
        ("expires_ns", 2**63, "an integer of 64 bits"),
        ("post_only", 1, "true or false"),
        ("post_only", "true", "true or false"),
    ],
)
def test_s37_a_value_of_another_type_is_refused_with_its_path(field: str, raw: object, expected: str) -> None:
    assert faults(changed(**{field: raw}))[f"$.{field}"].startswith(f"expected {expected}")


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-30", "20260101", "2026-W01-1", "2026-1-1", "x"])
def test_only_a_real_iso_date_is_a_date(text: str) -> None:
    plain = {"symbol": "ESZ26", "root": "ES", "kind": "future", "currency": "USD", "tick": "0.25", "expiry": text}
    assert "$.expiry" in faults(json.dumps(plain), instruments.Instrument)


def test_s37_unknown_fields_are_refused_by_name() -> None:
    found = faults(changed(**{"limit": "1", "a b\n": 2}))
    assert found == {"$.limit": "unknown field", "$['a b\\n']": "unknown field"}


def test_all_faults_are_told_at_once_each_with_its_path() -> None:
    child = PLAIN | {"side": "x", "quantity": 1}
    del child["key"]
    group = {"key": "G", "kind": "oco", "parent": None, "children": [PLAIN, child], "odd": 1}
    assert set(faults(json.dumps(group), OrderGroup)) == {
        "$.children[1].key",
        "$.children[1].side",
        "$.children[1].quantity",
        "$.odd",
    }


@pytest.mark.parametrize("raw", ["{}", '"abc"', "null", "5", '{"0": 1}'])
def test_an_array_is_nothing_else(raw: str) -> None:
    group = f'{{"key":"G","kind":"oco","parent":null,"children":{raw}}}'
    assert faults(group, OrderGroup)["$.children"].startswith("expected an array")


@pytest.mark.parametrize("raw", ["[]", '"abc"', "null", "5", "[[]]"])
def test_an_object_is_nothing_else(raw: str) -> None:
    assert faults(raw)["$"].startswith("expected an object")
    assert faults(raw, Event)["$"].startswith("expected an object")


@pytest.mark.parametrize("event", [{}, {"type": "Filled"}, {"type": None}, {"type": ["filled"]}, {"type": {}}])
def test_an_event_of_no_known_type_is_refused(event: dict[str, Any]) -> None:
    assert "cancel_requested" in faults(json.dumps(event), Event)["$"]


def test_what_is_refused_is_refused_from_parsed_json_too() -> None:
    with pytest.raises(InvalidJson):
        structure(PLAIN | {"quantity": 1}, Order)


# In: JSON itself.


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ('{"a": NaN}', "$.a"),
        ('{"a": [1, Infinity]}', "$.a[1]"),
        ('{"a": -Infinity}', "$.a"),
        ('{"a": {"b": 1, "b": 2}}', "$.a"),
        ('{"a": 1, "\\u0061": 2}', "$"),
        (f'{{"a": {"9" * 65}}}', "$.a"),
        (f'{{"a": 0.{"9" * 65}}}', "$.a"),
        ('{"a": 1e99999999999999999999}', "$.a"),
        ('{"a": "\\ud800"}', "$.a"),
        ('{"\\udfff": 1}', "$"),
        ("", "$"),
        ("{", "$"),
        ("{'a': 1}", "$"),
        ('{"a": 1,}', "$"),
        ('{"a": 1} {"a": 1}', "$"),
        ('{"a": 01}', "$"),
        ('{"a": "\n"}', "$"),
        ('{"a": "\x00"}', "$"),
        ("\ufeff{}", "$"),
        (b'{"a": "\xff"}', "$"),
        (b"\xff\xfe{\x00}\x00", "$"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "$" + "[0]" * MAX_DEPTH),
    ],
)
def test_s37_f36_a_doubtful_document_is_refused_with_the_place(document: str | bytes, path: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse(document)
    assert [fault.path for fault in caught.value.faults] == [path]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_f36_nesting_by_the_hundred_thousand_is_refused(opening: str) -> None:
    with pytest.raises(InvalidJson, match="at most 32 levels"):
        parse(opening * 100_000)


def nested(levels: int) -> str:
    """Arrays and objects by turns, so many levels of them."""
    opening, closing = "", ""
    for level in range(levels):
        opening, closing = (opening + '{"a":', "}" + closing) if level % 2 else (opening + "[", "]" + closing)
    return opening + "1" + closing


def test_the_limits_themselves_are_allowed_and_one_more_is_not() -> None:
    for allowed, refused in (
        (nested(MAX_DEPTH), nested(MAX_DEPTH + 1)),
        ('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)),
        ("9" * MAX_NUMBER, "9" * (MAX_NUMBER + 1)),
        ("0." + "9" * (MAX_NUMBER - 2), "0." + "9" * (MAX_NUMBER - 1)),
        ('"' + "x" * (MAX_BYTES - 2) + '"', '"' + "x" * (MAX_BYTES - 1) + '"'),
    ):
        assert parse(allowed) is not None
        with pytest.raises(InvalidJson):
            parse(refused)


def test_a_decimal_of_64_characters_goes_out_and_comes_in() -> None:
    longest = attrs.evolve(ORDER, quantity=Decimal("1" * 40 + "." + "1" * 23))
    assert decode(encode(longest), Order) == longest
    with pytest.raises(Mismatch):
        encode(attrs.evolve(ORDER, quantity=Decimal("1" * 40 + "." + "1" * 24)))


def test_what_goes_out_is_one_line_of_compact_utf_8() -> None:
    assert encode(model.Margin(Decimal(1), Decimal("2.50"))) == '{"initial":"1","maintenance":"2.50"}'
    assert encode("é\n") == '"é\\n"'
    with pytest.raises(ValueError, match="Out of range"):
        encode(float("nan"))


def test_long_values_and_keys_are_cut_in_messages() -> None:
    for value, shown in (("x" * 78, "x" * 78 + "'"), ("x" * 79, "...")):
        assert faults(changed(quantity=value))["$.quantity"].endswith(shown)
    for key, path in (("k" * 80, "$." + "k" * 80), ("k" * 81, "$['" + "k" * 79 + "...]")):
        assert faults(changed(**{key: 1})) == {path: "unknown field"}


def test_ten_faults_are_told_in_full() -> None:
    for count, more in ((10, False), (11, True)):
        group = {"key": "G", "kind": "oco", "parent": None, "children": [1] * count}
        with pytest.raises(InvalidJson) as caught:
            decode(json.dumps(group), OrderGroup)
        assert ("more;" in str(caught.value)) is more


def test_f36_a_document_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(InvalidJson, match="at most 100 bytes, got 102"):
        parse('"' + "x" * 100 + '"', max_bytes=100)


def test_numbers_are_exact() -> None:
    assert parse("[0.1, 1e999, -5, 123456789012345678901234567890]") == [
        Decimal("0.1"),
        Decimal("1e999"),
        -5,
        123456789012345678901234567890,
    ]


def test_the_message_of_a_thousand_faults_is_short_and_the_faults_are_all_there() -> None:
    group = {"key": "G", "kind": "oco", "parent": None, "children": [1] * 1000}
    with pytest.raises(InvalidJson) as caught:
        decode(json.dumps(group), OrderGroup)
    assert len(caught.value.faults) == 1000
    assert len(str(caught.value)) < 2000
    assert "and 990 more" in str(caught.value)


def json_values() -> st.SearchStrategy[Any]:
    leaves = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(list(PLAIN))
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(st.text() | st.binary() | json_values().map(json.dumps))
def test_s53_any_document_is_read_or_refused_with_the_one_error(document: str | bytes) -> None:
    error = refusal(InvalidJson, parse, document)
    if error is None:
        text = document if isinstance(document, str) else document.decode()
        assert parse(document) == json.loads(text, parse_float=Decimal)
    else:
        assert error.faults
        assert str(error).isprintable()


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(st.dictionaries(st.sampled_from([*PLAIN, "odd"]), json_values(), max_size=4), st.sampled_from([Order, Event]))
def test_s53_any_spoilt_order_is_read_or_refused_with_the_one_error(spoilt: dict[str, Any], kind: Any) -> None:
    error = refusal(InvalidJson, structure, PLAIN | spoilt, kind)
    if error is None:
        value = structure(PLAIN | spoilt, kind)
        assert structure(json.loads(encode(value)), Order) == value
    else:
        assert error.faults
        assert str(error).isprintable()


# The published schema.


def test_the_shipped_schema_is_what_the_classes_give() -> None:
    shipped = Path(model.__file__).with_name("order_schema.json")
    assert shipped.read_text(encoding="utf-8") == order_schema_text(), (
        "the model changed: write brokers.order_schema.order_schema_text() to the file, and tell those who read it"
    )


def test_the_schema_is_valid_json_schema_2020_12() -> None:
    Draft202012Validator.check_schema(order_schema())
    assert order_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@settings(max_examples=100 * NIGHTLY, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(anything(Order) | anything(OrderGroup))
def test_every_order_and_group_validates_against_the_schema(value: Order | OrderGroup) -> None:
    VALIDATOR.validate(json.loads(encode(value)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plain: plain.pop("symbol"),
        lambda plain: plain.update(odd=1),
        lambda plain: plain.update(quantity=1),
        lambda plain: plain.update(quantity="1e5"),
        lambda plain: plain.update(quantity="1" * 65),
        lambda plain: plain.update(side="BUY"),
        lambda plain: plain.update(expires_ns=2**63),
        lambda plain: plain.update(post_only="yes"),
        lambda plain: plain.update(limit_price=""),
    ],
)
def test_the_schema_and_the_codec_refuse_the_same(spoil: Callable[[dict[str, Any]], object]) -> None:
    plain = dict(PLAIN)
    assert VALIDATOR.is_valid(plain)
    spoil(plain)
    assert not VALIDATOR.is_valid(plain)
    assert faults(json.dumps(plain))


def test_a_group_of_groups_is_neither_valid_nor_read() -> None:
    group = json.loads(encode(OrderGroup("G", GroupKind.OCO, None, (ORDER, ORDER))))
    nested = group | {"children": [group]}
    assert VALIDATOR.is_valid(group)
    assert not VALIDATOR.is_valid(nested)
    assert faults(json.dumps(nested), OrderGroup)
