"""The floors of the house: a package imports only what lies below it, and no two modules import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "runtime": {"runtime"},
    "config": {"config"},
    "brokers": {"brokers", "runtime", "config"},
    "sessions": {"sessions", "brokers", "runtime", "config"},
}
# The face of the house: nothing in sessions may import it but itself.
FACE = "sessions.control"


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in BELOW:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(), str(path))
    return found


MODULES = modules()


def imports(name: str, *, when_loaded: bool) -> Iterator[str]:
    """The project modules that a module imports; when_loaded leaves out type checking and late imports."""
    tree: ast.AST = MODULES[name]
    for node in _walk(tree, when_loaded=when_loaded):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [target if target in MODULES else node.module for target in below]
        else:
            continue
        yield from (target for target in targets if target in MODULES and target != name)


def _walk(tree: ast.AST, *, when_loaded: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        late = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        )
        if not (when_loaded and late):
            yield from _walk(node, when_loaded=when_loaded)


@pytest.mark.parametrize("package", BELOW)
def test_a_floor_imports_only_what_lies_below(package: str) -> None:
    upward = {
        (name, target)
        for name in MODULES
        if name.split(".")[0] == package
        for target in imports(name, when_loaded=False)
        if target.split(".")[0] not in BELOW[package]
    }
    assert upward == set()


def test_only_the_face_imports_the_face() -> None:
    guests = {
        (name, target)
        for name in MODULES
        if not name.startswith(FACE)
        for target in imports(name, when_loaded=False)
        if target.startswith(FACE)
    }
    assert guests == set()


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: sorted(set(imports(name, when_loaded=True))) for name in MODULES}
    state: dict[str, str] = {}
    cycles: list[list[str]] = []

    def visit(name: str, path: list[str]) -> None:
        state[name] = "open"
        for target in graph[name]:
            if state.get(target) == "open":
                cycles.append([*path[path.index(target) :], target])
            elif target not in state:
                visit(target, [*path, target])
        state[name] = "done"

    for name in graph:
        if name not in state:
            visit(name, [name])
    assert cycles == []


def test_every_import_statement_of_the_project_is_absolute() -> None:
    relative = [
        (name, node.lineno)
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
