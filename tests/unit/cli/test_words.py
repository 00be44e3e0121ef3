"""Errors say what happened and what moves the admin on, in one form, wherever they are raised."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import multiall_cli
from multiall_cli.domain import errors
from multiall_cli.domain.errors import Fault, InputFaults, MultiAllError, Origin, Unreachable
from multiall_cli.domain.exits import Exit

ROOT = Path(multiall_cli.__file__).parent
CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, MultiAllError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_has_a_code_and_the_form(kind: type[MultiAllError]) -> None:
    fault = (
        InputFaults([Fault(Origin("a.yaml", 1, 2), "it is wrong", "mend it")]) if kind is InputFaults
        else Unreachable("web1", "no answer in 5 s", "start it", "timeout") if kind is Unreachable
        else kind("web1", "no answer in 5 s", "start it")
    )  # fmt: skip
    assert re.fullmatch(r"[^:;]+: [^;]+; .+", str(fault))
    assert isinstance(fault.exit_code, Exit)
    assert fault.exit_code is not Exit.OK


def test_words_of_members_cannot_steer_the_terminal() -> None:
    assert str(MultiAllError("we\x1b[2Jb1", "a\nb\u202e", "c\x9b")).isprintable()


def raised() -> Iterator[tuple[str, list[ast.expr]]]:
    """Every error that is made somewhere in the package, with its words."""
    names = {each.__name__ for each in CLASSES} - {"InputFaults"} | {"LabError"}
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                words = [each for each in node.args if not isinstance(each, ast.Starred)]
                yield f"{file.relative_to(ROOT)}:{node.lineno}", words


def literal(word: ast.expr) -> str | None:
    """The text of a literal, with `x` for what is put in; None where it is made elsewhere."""
    if isinstance(word, ast.Constant) and isinstance(word.value, str):
        return word.value
    if isinstance(word, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "x" for each in word.values)
    return None


RAISED = dict(raised())


def test_the_errors_are_found() -> None:
    assert len(RAISED) > 50


@pytest.mark.parametrize("place", RAISED)
def test_every_raised_literal_has_the_form(place: str) -> None:
    """Lower case begins, no full stop ends, nothing is empty, and no `;` splits what happened from what to do twice."""
    subject, what, todo = ([literal(each) for each in RAISED[place]] + [None] * 3)[:3]
    if subject is not None:
        assert subject.strip() == subject != ""
    for words in (what, todo):
        if words is not None:
            assert words.strip() == words != "", words
            assert not words.endswith((".", "!")), words
            assert not re.match(r"[A-Z][a-z]", words), words
            assert "\n" not in words
    if what is not None:
        assert "did you mean" not in what, what
