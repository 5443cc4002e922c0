"""Claims about the lines of keys: every key of any TOML has its line, and it is the right one."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.lines import lines_of
from config.settings.writing import toml, toml_key

TEXT = r"""
# a comment with [a.header] and key = 1
first = '''
[not.a.header]
not_a_key = 1 "" still
''' # over
"quoted \"key\"" = 'its'
[ a . "b.c" ] # spaced
one = [ # an array
  "]", { x = 1 },
  2026-01-01 07:00:00,
]
two.three = { four = { five = 5 }, "\u0041" = '#', "\U0001F600" = "}" }

[[list]]
deep = 1
[[list]]
deep = 2
""".lstrip()


def test_each_key_has_the_line_of_its_first_mention() -> None:
    assert tomllib.loads(TEXT)["list"] == [{"deep": 1}, {"deep": 2}]
    assert lines_of(TEXT) == {
        ("first",): 2,
        ('quoted "key"',): 6,
        ("a",): 7,
        ("a", "b.c"): 7,
        ("a", "b.c", "one"): 8,
        ("a", "b.c", "two"): 12,
        ("a", "b.c", "two", "three"): 12,
        ("a", "b.c", "two", "three", "four"): 12,
        ("a", "b.c", "two", "three", "four", "five"): 12,
        ("a", "b.c", "two", "three", "A"): 12,
        ("a", "b.c", "two", "three", "😀"): 12,
        ("list",): 14,
        ("list", "0"): 14,
        ("list", "0", "deep"): 15,
        ("list", "1"): 16,
        ("list", "1", "deep"): 17,
    }


def test_line_ends_of_windows_count_once() -> None:
    assert lines_of("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
SCALARS = (
    st.integers(-99, 99).map(str)
    | st.sampled_from(
        ("true", "1.5e3", "inf", "2026-01-01 07:00:00Z", "07:00:00", "'''a\n''b\n'''", '"""\\\n\n ""x"""')
    )
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6).map(toml)
)
GAPS = st.sampled_from(("", " ", "\n", " # [x]\n", "\n\n"))


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.dictionaries(KEYS, values, max_size=3))
    return "{" + ", ".join(f"{toml_key(key)} = {value}" for key, value in pairs.items()) + "}"


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=3))
    return "[" + "".join(f"{draw(GAPS)}{item}{draw(GAPS)}," for item in items) + draw(GAPS) + "]"


VALUES = st.recursive(SCALARS, lambda values: inline_tables(values) | arrays(values), max_leaves=6)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """A text of keys with any values, and the line on which each key was put."""
    text, places = "", {}
    for key, value in draw(st.dictionaries(KEYS, VALUES, max_size=5)).items():
        text += draw(st.sampled_from(("", "\n", "# x = 1\n", "  ")))
        places[key] = text.count("\n") + 1
        text += f"{toml_key(key)} = {value}{draw(st.sampled_from(('', ' # y = 2')))}\n"
    return text, places


@settings(max_examples=150, deadline=None)
@given(texts())
def test_every_key_of_any_text_has_its_line(drawn: tuple[str, dict[str, int]]) -> None:
    text, places = drawn
    found = lines_of(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    assert {key: found[(key,)] for key in places} == places


def paths(data: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = [((*path, key), value) for key, value in data.items()]
    deeper = [one for here, value in inner if isinstance(value, dict) for one in paths(value, here)]
    return [here for here, _ in inner] + deeper
