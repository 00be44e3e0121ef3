"""Every error has the one form and an exit code that never changes its meaning."""

import importlib
import pkgutil
import re

import pytest

import multiall_cli
from multiall_cli.domain.errors import Fault, InputFaults, MultiAllError, Origin
from multiall_cli.domain.exits import MEANINGS, Exit


def _classes() -> list[type[MultiAllError]]:
    """Every error class of the package, wherever it lives."""
    for module in pkgutil.walk_packages(multiall_cli.__path__, "multiall_cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, left = [], [MultiAllError]
    while left:
        each = left.pop()
        found.append(each)
        left += each.__subclasses__()
    return sorted(set(found), key=lambda each: each.__name__)


def _made(kind: type[MultiAllError]) -> MultiAllError:
    """An instance, from the arguments that its class asks for."""
    match kind.__name__:
        case "InputFaults":
            return InputFaults([Fault(Origin("inventory/a.yaml", 3, 1), "unknown key `pols`", "did you mean `pools`?")])
        case "LoopNotStarted":
            return kind("web1", 127, b"sh: python3: not found")  # type: ignore[arg-type]
        case "Unreachable" | "ConnectionRejected":
            return kind("web1", "no answer in 10 s", "look after it", "timeout")  # type: ignore[call-arg]
        case _:
            return kind("web1", "3 of 4 failed", "run `multiall doctor web1`")


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_error_says_who_what_and_what_now(kind: type[MultiAllError]) -> None:
    """`<subject>: <what happened>; <what moves you on>`."""
    fault = _made(kind)
    assert re.fullmatch(r"[^:;]+: [^;]+; .+", str(fault))
    assert str(fault) == f"{fault.subject}: {fault.what}; {fault.todo}"


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_an_exit_code_that_is_no_success(kind: type[MultiAllError]) -> None:
    """0 and 10 are answers, not errors."""
    assert kind.exit_code in set(Exit) - {Exit.OK, Exit.DIFFERENCES}


def test_the_exit_codes_never_change() -> None:
    """Cron jobs and pipelines rely on the numbers."""
    codes = {"OK": 0, "ERROR": 1, "USAGE": 2, "PARTIAL": 3, "REFUSED": 4, "LOCKED": 5, "DIFFERENCES": 10}
    assert {each.name: int(each) for each in Exit} == {**codes, "INTERRUPTED": 130}


def test_every_exit_code_has_its_line_in_the_help() -> None:
    """One meaning each."""
    assert (set(MEANINGS), len(set(MEANINGS.values()))) == (set(Exit), len(Exit))


def test_input_faults_come_in_the_order_of_the_files() -> None:
    """And are counted in the message."""
    late, early = Fault(Origin("b.yaml", 1, 1), "x", "y"), Fault(Origin("a.yaml", 9, 1), "x", "y")
    fault = InputFaults([late, early])
    assert (fault.faults, fault.what) == ((early, late), "2 faults in its files")
    assert str(early) == "a.yaml:9:1: x; y"
