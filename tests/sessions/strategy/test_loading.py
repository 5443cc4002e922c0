"""Claims about strategies loaded from a folder or an installed package, and never from the working directory."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sessions.strategies.ema_cross import EmaCross
from sessions.strategy import LoadError, load_strategy
from sessions.strategy.loading import safe_path

SOURCE = textwrap.dedent("""
    import attrs
    from sessions.strategy import Decisions, Event, NoState, Strategy, View, Wants

    VERSION = {version}

    @attrs.frozen
    class Settings:
        symbol: str = "ES"

    class Mine(Strategy[Settings, NoState]):
        def wants(self) -> Wants:
            return Wants(quotes=(self.parameters.symbol,))

        def decide(self, event: Event, view: View[NoState]) -> Decisions:
            return None
""")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "strategies"
    made.mkdir()
    write(made, "mine", SOURCE.format(version=1))
    return made


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is on the import path in every spelling."""
    made = tmp_path / "cwd"
    made.mkdir()
    monkeypatch.chdir(made)
    monkeypatch.setattr(sys, "path", ["", ".", str(made), f"{made}{os.sep}", *sys.path])
    return made


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)


def version(loaded_module: str) -> object:
    return vars(sys.modules[loaded_module])["VERSION"]


def refusal(reference: str, folder: Path | None, cwd: Path) -> str:
    path = list(sys.path)
    modules = set(sys.modules)
    with pytest.raises(LoadError) as caught:
        load_strategy(reference, folder, cwd)
    assert caught.value.reference == reference
    assert sys.path == path
    assert not [name for name in set(sys.modules) - modules if "@" in name]
    return str(caught.value)


def test_a_class_is_loaded_from_the_folder(folder: Path, cwd: Path) -> None:
    loaded = load_strategy("mine:Mine", folder, cwd)
    strategy = loaded.strategy(loaded.strategy.parameters_type())
    assert strategy.wants().quotes == ("ES",)
    assert loaded.file == folder / "mine.py"
    assert "mine" not in sys.modules
    loaded.forget()
    assert loaded.module not in sys.modules


def test_a_class_is_loaded_from_an_installed_package(cwd: Path) -> None:
    loaded = load_strategy("sessions.strategies.ema_cross:EmaCross", None, cwd)
    assert (loaded.strategy, loaded.file) == (EmaCross, None)


def test_a_reload_gets_the_new_text_at_once_and_the_old_class_goes_on(
    folder: Path, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    old = load_strategy("mine:Mine", folder, cwd)
    stamp = (folder / "mine.py").stat()
    write(folder, "mine", SOURCE.format(version=2))
    os.utime(folder / "mine.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # same second, same size
    new = load_strategy("mine:Mine", folder, cwd)
    assert (version(old.module), version(new.module)) == (1, 2)
    assert old.strategy is not new.strategy
    assert not list(folder.glob("__pycache__"))
    old.forget()
    new.forget()


def test_a_registered_name_leads_to_its_class(cwd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    register(site, "ema-cross", "sessions.strategies.ema_cross:EmaCross")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    assert load_strategy("ema-cross", None, cwd).strategy is EmaCross


def register(site: Path, name: str, value: str) -> None:
    info = site / "extra-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pitboss.strategies]\n{name} = {value}\n")


# ------------------------------------------------------------------------------------------- the working directory


def test_s55_a_module_in_the_working_directory_is_not_loaded(folder: Path, cwd: Path) -> None:
    write(cwd, "stray", SOURCE.format(version=1))
    assert "the working directory is not read" in refusal("stray:Mine", folder, cwd)


def test_s55_a_name_registered_in_the_working_directory_is_not_known(cwd: Path) -> None:
    register(cwd, "stray", "sessions.strategies.ema_cross:EmaCross")
    assert "no installed package registers it" in refusal("stray", None, cwd)


def test_s55_what_a_strategy_imports_does_not_come_from_the_working_directory(folder: Path, cwd: Path) -> None:
    write(cwd, "stray_helper", "raise SystemExit('taken from the working directory')")
    write(folder, "mine", "import stray_helper\n")
    assert "No module named 'stray_helper'" in refusal("mine:Mine", folder, cwd)


def test_s55_a_json_in_the_working_directory_stays_there(folder: Path, cwd: Path) -> None:
    write(cwd, "json", "raise SystemExit('taken from the working directory')")
    write(folder, "mine", "import json\n" + SOURCE.format(version=1))
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from sessions.strategy import load_strategy
        for name in [name for name in sys.modules if name.partition(".")[0] == "json"]:
            del sys.modules[name]
        sys.path.insert(0, "")
        load_strategy("mine:Mine", Path({str(folder)!r}), Path.cwd())
        print(sys.modules["json"].__file__)
    """)
    root = Path(__file__).parents[3]
    done = subprocess.run(  # noqa: S603  our own text
        [sys.executable, "-P", "-c", script],
        capture_output=True, text=True, check=False, timeout=60, cwd=cwd, env={"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == json.__file__


def test_s55_the_safe_path_has_no_spelling_of_the_working_directory(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "cwd")
    (tmp_path / "cwd").mkdir()
    entries = ["", ".", "lib", str(tmp_path / "cwd"), str(link), str(tmp_path / "cwd" / ".." / "cwd"), "/usr/lib"]
    assert safe_path(entries, tmp_path / "cwd") == ["/usr/lib"]


# --------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    "reference", ["", "mine", ":Mine", "mine:", "../mine:Mine", "a/b:C", "mine:Mine:x", "1a:B", "a b"]
)
def test_a_reference_of_another_form_is_refused(reference: str, folder: Path, cwd: Path) -> None:
    assert "module:Class" in refusal(reference, folder, cwd)


def test_a_missing_file_is_told_with_where_it_was_looked_for(folder: Path, cwd: Path) -> None:
    assert f"there is no gone.py in {folder}, and no installed package has" in refusal("gone:Mine", folder, cwd)
    assert "no folder is configured" in refusal("gone.deep:Mine", None, cwd)


def test_a_syntax_error_is_told_with_its_line(folder: Path, cwd: Path) -> None:
    write(folder, "mine", "x = 1\nclass Mine(:\n")
    assert "mine.py:2: invalid syntax: class Mine(:" in refusal("mine:Mine", folder, cwd)


def test_an_error_while_it_is_imported_is_told_with_its_line(folder: Path, cwd: Path) -> None:
    write(folder, "mine", "x = 1\n\ny = x / 0\n")
    assert "mine.py:3 raised ZeroDivisionError" in refusal("mine:Mine", folder, cwd)


def test_a_file_that_exits_does_not_end_the_daemon(folder: Path, cwd: Path) -> None:
    write(folder, "mine", "raise SystemExit(1)\n")
    assert "raised SystemExit" in refusal("mine:Mine", folder, cwd)


def test_a_missing_class_is_told_with_those_that_are_there(folder: Path, cwd: Path) -> None:
    assert "no class Yours; its strategies are Mine" in refusal("mine:Yours", folder, cwd)


def test_a_class_that_is_no_strategy_is_refused(folder: Path, cwd: Path) -> None:
    assert "Settings is no Strategy" in refusal("mine:Settings", folder, cwd)


def test_a_strategy_without_its_methods_is_refused(folder: Path, cwd: Path) -> None:
    write(folder, "mine", SOURCE.format(version=1).replace("def decide", "def decides"))
    assert "Mine lacks decide" in refusal("mine:Mine", folder, cwd)


def test_a_strategy_that_names_no_classes_is_refused(folder: Path, cwd: Path) -> None:
    write(folder, "mine", SOURCE.format(version=1).replace("Strategy[Settings, NoState]", "Strategy"))
    assert "names no classes for its parameters and state" in refusal("mine:Mine", folder, cwd)


def test_a_class_with_a_loose_state_says_so_on_loading(folder: Path, cwd: Path) -> None:
    write(folder, "mine", SOURCE.format(version=1).replace("Strategy[Settings, NoState]", "Strategy[Settings, dict]"))
    assert "must be a class made by attrs.frozen" in refusal("mine:Mine", folder, cwd)
