"""The limits of the house: sizes, names, and who may know what. Each exception is listed with its reason."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from multiall_cli.ports.store import Store

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "multiall_cli"
MOST_LINES, MOST_OF_A_FUNCTION, MOST_METHODS = 400, 40, 20

LONG_MODULES: Mapping[str, str] = {
    "cli/render/baseline.py": "one noun's views; to be split by view",
    "planning/liveness.py": "one state machine",
    "remote/ops/apply.py": "one operation, sent whole to members",
}
LONG_FUNCTIONS: Mapping[str, str] = {
    "cli/render/baseline.py:checked": "one view",
    "agents/zones/plan.py:plan_zone": "one decision after the other, in the order of precedence",
}
LARGE_CLASSES: Mapping[str, str] = {
    "lab/real/lab.py:RealLab": "the lab's whole interface, one call each",
}
SHARED_NAMES: Mapping[str, str] = {}
PRIVATE_IMPORTS: Mapping[str, str] = {
    "cli/app.py": "typer has click within it, under a private name",
    "cli/completion_bash.py": "typer has click within it, under a private name",
    "cli/main.py": "typer has click within it, under a private name",
    "cli/options.py": "typer has click within it, under a private name",
    "remote/importer.py": "ModuleSpec without importlib, which would cost each session 10 ms",
}


@cache
def modules() -> dict[str, tuple[str, ast.Module]]:
    """Path below the package -> text and tree."""
    found = {str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    return {name: (text, ast.parse(text)) for name, text in found.items()}


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    return ((name, node) for name, (_, tree) in modules().items() for node in ast.walk(tree) if isinstance(node, kinds))


def test_modules_are_short() -> None:
    long = {name for name, (text, _) in modules().items() if text.count("\n") > MOST_LINES}
    assert long == set(LONG_MODULES)


def test_functions_are_short() -> None:
    long = {
        f"{name}:{node.name}"
        for name, node in nodes(ast.FunctionDef)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_OF_A_FUNCTION
    }
    assert long == set(LONG_FUNCTIONS)


def _public_methods(node: ast.ClassDef) -> int:
    return sum(1 for each in node.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"))


def test_classes_are_small() -> None:
    """Protocols too."""
    large = {
        f"{name}:{node.name}"
        for name, node in nodes(ast.ClassDef)
        if isinstance(node, ast.ClassDef) and _public_methods(node) > MOST_METHODS
    }
    assert large == set(LARGE_CLASSES)


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        places[node.name].append(name)
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert shared.keys() == set(SHARED_NAMES), shared


def _is_private(module: str, names: list[str]) -> bool:
    parts = [*module.split("."), *names]
    return any(part.startswith("_") and not part.startswith("__") for part in parts)


def test_nothing_private_of_other_packages_is_imported() -> None:
    private = {
        name
        for name, node in nodes(ast.ImportFrom)
        if isinstance(node, ast.ImportFrom)
        and not (node.module or "").startswith("multiall_cli")
        and _is_private(node.module or "", [each.name for each in node.names])
    }
    assert private == set(PRIVATE_IMPORTS)


@pytest.mark.parametrize(
    ("word", "folders"),
    [("Fleet", ("fleet/__init__.py", "__init__.py", "cli/")), ("SystemClock", ("fleet/", "adapters/"))],
)
def test_only_some_rooms_know_a_name(word: str, folders: tuple[str, ...]) -> None:
    """The work below the Fleet is given a Context, and time is an argument."""
    knowing = {
        name
        for name, node in nodes(ast.Name, ast.Attribute, ast.ImportFrom)
        if (isinstance(node, ast.Name) and node.id == word)
        or (isinstance(node, ast.ImportFrom) and word in [each.name for each in node.names])
    }
    assert {name for name in knowing if not name.startswith(folders)} == set()


def test_each_part_of_the_store_has_its_laws() -> None:
    """A test of `tests/laws/stores` asks for it by name."""
    parts = {name for name, value in vars(Store).items() if isinstance(value, property)}
    laws = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests/laws/stores").glob("test_*.py"))
    assert {part for part in parts if not re.search(rf"\bstore\.{part}\.", laws)} == set()
    assert parts >= {"journal", "backlog", "handlers", "results", "states", "downtimes", "topology", "health"}
