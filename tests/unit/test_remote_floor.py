"""What runs on members stays within Python 3.6 and the standard library."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from multiall_cli.adapters.local import LocalProcess
from multiall_cli.adapters.loop_client import LoopClient
from multiall_cli.adapters.remote_bundle import ARGUMENTS, EXTRA_MODULES, MODULES

REMOTE = Path(__file__).parents[2] / "multiall_cli" / "remote"
SOURCES = sorted(REMOTE.rglob("*.py"))


def test_the_bundle_has_every_module() -> None:
    later = {name for names in EXTRA_MODULES.values() for name in names()}
    assert {*MODULES, *later, "importer"} == {dotted(source) for source in SOURCES if source.stem != "__init__"}
    assert not later & set(MODULES)


def dotted(source: Path) -> str:
    """The name of a module, from the package `remote` on."""
    return ".".join(source.relative_to(REMOTE).with_suffix("").parts)


@pytest.mark.parametrize("source", SOURCES, ids=dotted)
def test_syntax(source: Path) -> None:
    ast.parse(source.read_text("utf-8"), feature_version=(3, 6))


def test_library() -> None:
    """No module, function or argument that came after 3.6."""
    vermin = [sys.executable, "-c", "import vermin; vermin.main()", "--no-tips", "--violations", "-t=3.6-"]
    done = subprocess.run([*vermin, *map(str, SOURCES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", SOURCES, ids=dotted)
def test_imports(source: Path) -> None:
    """The standard library, and its own floor; psutil by one module, where it is asked for and not before."""
    tree = ast.parse(source.read_text("utf-8"))
    may = {"psutil"} if source.stem == "psutil_fallback" else set()
    for name in imported(tree):
        known = name.split(".")[0] in {*sys.stdlib_module_names, *may}
        assert known or name.startswith("multiall_cli.remote"), name
    at_once = ast.Module([each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)], [])
    assert "psutil" not in imported(at_once)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "(relative)"


def pythons() -> list[str]:
    """Real interpreters of the versions that members may have, oldest first."""
    found = []
    for minor in range(6, 15):
        built = sorted(Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/python3"))
        onpath = shutil.which(f"python3.{minor}")
        candidates = [*map(str, built), *([onpath] if onpath else [])]
        found += [path for path in candidates if _runs(path, minor)][:1]
    return found


def _runs(path: str, minor: int) -> bool:
    """Whether it is that version indeed (a shim may be there without one)."""
    tell = "import sys; print(sys.version_info[1])"
    done = subprocess.run([path, "-ISc", tell], capture_output=True, text=True, check=False)
    return done.stdout.strip() == str(minor)


PYTHONS = pythons()


@pytest.mark.parametrize("python", PYTHONS or [sys.executable], ids=lambda path: path.split("/")[-3])
def test_the_loop_runs(python: str) -> None:
    """The bundle as it is sent, in a real interpreter of each version that is here."""
    resident = LoopClient(LocalProcess([python, *ARGUMENTS]), "web1")
    assert b"".join(resident.call("ping", [b"x" * 100_000] * 3, 20, {}).pieces()) == b"x" * 300_000
    host = resident.call("host_info", (), 20, {}).value()
    assert host["executable"]
    resident.close()
