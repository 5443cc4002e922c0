"""Strategies from outside: `module:Class` from a configured folder or an installed package, or a name it registered.

    cross:EmaCross                          cross.py in the folder, if there is one; else an installed module
    sessions.strategies.ema_cross:EmaCross  an installed module
    ema-cross                               an entry point of an installed package, in the group `pitboss.strategies`

Nothing is ever imported from the working directory, not even by what a strategy imports while it is loaded. A file of
the folder is read afresh at each load and becomes a module of a name of its own, so that a reload gets the new text
while sessions on the old one go on. It is one file: what several strategies share belongs in an installed package.
"""

import contextlib
import importlib
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs

from sessions.strategy.errors import LoadError, shown
from sessions.strategy.strategy import Strategy

GROUP: Final = "pitboss.strategies"

_REFERENCE: Final = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")
_NAME: Final = re.compile(r"\w[\w.-]*")
_FORMS: Final = "write module:Class, such as cross:EmaCross, or the name of a strategy that a package registers"


@attrs.frozen
class Loaded:
    """A strategy's class and where it came from; `file` is None for an installed one, which a reload leaves as is."""

    reference: str
    strategy: type[Strategy[Any, Any]]
    module: str
    file: Path | None

    def forget(self) -> None:
        """Lets go of a file's module, when no session runs it any longer."""
        if self.file is not None:
            sys.modules.pop(self.module, None)


def load_strategy(reference: str, folder: Path | None, cwd: Path) -> Loaded:
    """The strategy that a reference names; raises LoadError with what was wrong and what to do."""
    with _safe_imports(cwd):
        target = reference if ":" in reference else _registered(reference)
    found = _REFERENCE.fullmatch(target)
    if found is None:
        raise LoadError(reference, "it has not the form of a reference", _FORMS)
    name, class_name = found.groups()
    module, file = load_module(reference, name, folder, cwd), _file_of(name, folder)
    try:
        strategy = _strategy_in(reference, module, class_name)
    except LoadError:
        if file is not None:
            sys.modules.pop(module.__name__, None)
        raise
    return Loaded(reference, strategy, module.__name__, file)


def load_module(reference: str, name: str, folder: Path | None, cwd: Path) -> ModuleType:
    """A file of the folder, read afresh, or an installed module; raises LoadError."""
    with _safe_imports(cwd):
        file = _file_of(name, folder)
        return _imported(reference, name, folder) if file is None else _read(reference, name, file)


def safe_path(path: Sequence[str], cwd: Path) -> list[str]:
    """The import path without the working directory, however it is written there."""
    here = cwd.resolve()
    return [entry for entry in path if entry and Path(entry).is_absolute() and Path(entry).resolve() != here]


@contextlib.contextmanager
def _safe_imports(cwd: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path[:] = safe_path(before, cwd)
    try:
        yield
    finally:
        sys.path[:] = before


def _registered(name: str) -> str:
    """The module:Class behind a registered name."""
    if _NAME.fullmatch(name) is None:
        raise LoadError(name, "it has not the form of a reference", _FORMS)
    from importlib.metadata import distributions  # noqa: PLC0415 - few strategies are found this way

    entries = {
        entry.name: entry.value for package in distributions() for entry in package.entry_points if entry.group == GROUP
    }
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise LoadError(name, f"no installed package registers it; registered are: {known}", _FORMS)
    return entries[name]


def _file_of(name: str, folder: Path | None) -> Path | None:
    if folder is None or "." in name:
        return None
    file = folder / f"{name}.py"
    return file if file.is_file() else None


class _Fresh(SourceFileLoader):
    """Reads the text each time: a cached compilation of a file changed within a second would be the old one."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("strategies are not cached")


def _read(reference: str, name: str, file: Path) -> ModuleType:
    """A file as a module of its own; nothing of it stays when it cannot be run."""
    own = next(own for number in itertools.count(1) if (own := f"{name}@{number}") not in sys.modules)
    spec = importlib.util.spec_from_file_location(own, file, loader=_Fresh(own, str(file)))
    if spec is None or spec.loader is None:
        raise LoadError(reference, f"{file} is no Python source", "give the file the ending .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[own]
        raise LoadError(reference, _broken(error, file.name), f"correct {file} and load again") from error
    return module


def _imported(reference: str, name: str, folder: Path | None) -> ModuleType:
    """An installed module."""
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            where = "no folder is configured" if folder is None else f"there is no {name}.py in {folder}"
            problem = f"{where}, and no installed package has the module {error.name}"
            advice = "put the file into the strategies folder or install its package; the working directory is not read"
            raise LoadError(reference, problem, advice) from error
        raise LoadError(reference, _broken(error, name), f"correct {name} and start the daemon again") from error


def _broken(error: BaseException, where: str) -> str:
    """What an import died of, in a sentence."""
    if isinstance(error, SyntaxError):
        return f"{where}:{error.lineno}: {error.msg}: {(error.text or '').strip()}"
    line = _line_of(error, where)
    return f"{where}{line} raised {type(error).__name__} while it was imported: {shown(error)}"


def _line_of(error: BaseException, where: str) -> str:
    """The line of the file at which an error passed, as `:12`."""
    step, line = error.__traceback__, ""
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).name == where:
            line = f":{step.tb_lineno}"
        step = step.tb_next
    return line


def _strategy_in(reference: str, module: ModuleType, class_name: str) -> type[Strategy[Any, Any]]:
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        known = [name for name, value in vars(module).items() if _is_strategy(value)]
        there = f"its strategies are {', '.join(known)}" if known else "it has no strategy"
        raise LoadError(reference, f"the module has no class {class_name}; {there}", "correct the name of the class")
    if not issubclass(found, Strategy):
        raise LoadError(reference, f"{class_name} is no Strategy", "derive it from sessions.strategy.Strategy")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise LoadError(reference, f"{class_name} lacks {', '.join(missing)}", "write these methods")
    if not hasattr(found, "state_type"):
        raise LoadError(
            reference,
            f"{class_name} names no classes for its parameters and state",
            "derive it from Strategy[Parameters, State]",
        )
    return found


def _is_strategy(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Strategy) and not value.__abstractmethods__
