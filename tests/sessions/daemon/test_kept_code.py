"""What attrs compiles is kept between starts, and a class made of it is the class that it would have been."""

import importlib.util
import marshal
import sys
from pathlib import Path

import attr
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.control.daemon.kept_code import KeptCode, code_kept

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}[a-z0-9]", fullmatch=True), unique=True, max_size=5)


@pytest.fixture(autouse=True)
def byte_code_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def made(names: list[str]) -> type:
    return attrs.make_class("Made", names, frozen=True, slots=True, order=True)


def never(*_: object) -> None:
    pytest.fail("it was compiled again")


@settings(deadline=None, max_examples=30)
@given(names=NAMES)
def test_a_class_made_of_kept_code_is_like_any_other(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    file = tmp_path_factory.mktemp("kept") / "code"
    with code_kept(file):
        made(names)
    with pytest.MonkeyPatch.context() as patch, code_kept(file):
        patch.setattr("sessions.control.daemon.kept_code.compile", never, raising=False)
        again = made(names)
    values = range(len(names))
    one, same = again(*values), again(*values)
    assert one == same
    assert hash(one) == hash(same)
    assert not one < same
    assert repr(one) == repr(made(names)(*values))
    assert attrs.astuple(one) == tuple(values)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.nothing = 1


def test_classes_of_one_name_with_other_fields_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "code"
    with code_kept(file):
        made(["price"])
    with code_kept(file):
        assert made(["size"])(3).size == 3
        assert made(["price"])(4).price == 4


@pytest.mark.parametrize(
    "found",
    [
        b"",
        b"no code at all",
        importlib.util.MAGIC_NUMBER,
        importlib.util.MAGIC_NUMBER + b"half",
        b"\0\0\0\0" + marshal.dumps({("of another Python", ""): None}),
    ],
)
def test_a_file_that_cannot_be_used_costs_only_the_time(tmp_path: Path, found: bytes) -> None:
    file = tmp_path / "code"
    file.write_bytes(found)
    with code_kept(file):
        assert made(["price"])(1).price == 1
    assert KeptCode(file)._known


def test_a_place_that_takes_no_files_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with code_kept(tmp_path / "file" / "code"):
        assert made(["price"])(1).price == 1
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_nothing_is_written_where_python_may_write_no_byte_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with code_kept(tmp_path / "code"):
        made(["price"])
    assert not list(tmp_path.iterdir())


def test_after_the_block_attrs_compiles_for_itself(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), code_kept(tmp_path / "code"):
        raise RuntimeError
    assert "compile" not in vars(attr._make)  # type: ignore[attr-defined]  # its own module has the builtin
