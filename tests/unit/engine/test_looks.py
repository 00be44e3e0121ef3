"""What the verbs that only look make of what servers say of themselves."""

import json
import sys

import pytest

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.cli.render.json_form import as_json, document
from multiall_cli.cli.render.rich_output import on, put
from multiall_cli.cli.render.servers import facts as shown
from multiall_cli.domain.answer import Facts, Finding, Severity
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.engine.context import Context
from multiall_cli.engine.doctor import examine
from multiall_cli.engine.execute import facts
from tests.fixtures.contexts import context
from tests.fixtures.told import ToldPipe, ToldTransport, answer, greeted

BAD = Server(name="bad", address="192.0.2.1", link=Link.SSH)


def _world(value: object) -> Context:
    told = ToldTransport(lambda server, argv: ToldPipe(greeted(answer(value))))
    return context(told, None, SystemClock())  # what only looks writes down nothing


@pytest.mark.parametrize("now", [10**400, -(10**400), float("inf"), float("nan"), True, "x", [1]])
def test_a_clock_may_say_anything(now: object) -> None:
    """Also numbers that no float holds."""
    found = list(examine(_world({"python": "3.11.2", "now": now}), [BAD], {}))
    assert all(isinstance(each, Finding) for each in found)


@pytest.mark.parametrize("python", ["²", "3.²", "9" * 5000, "", ".", "x.y", None, [3, 11]])
def test_a_python_that_is_no_version_is_too_old(python: object) -> None:
    """Digits that are no numbers, and rows of them that are no number."""
    found = list(examine(_world({"python": python}), [BAD], {}))
    assert Severity.ILL in [each.health for each in found]


@pytest.mark.parametrize("memory", [10**400, -(10**400), float("nan"), float("inf"), True, "much"])
def test_memory_may_be_anything(memory: object, capsys: pytest.CaptureFixture[str]) -> None:
    """In a table and as JSON, which knows no infinity."""
    (told,) = facts(_world({"memory": memory}), [BAD])
    assert isinstance(told, Facts)
    assert not told.trouble
    view = shown([told])
    for piece in view.human(False):
        put(on(sys.stdout), piece)
    assert "bad" in capsys.readouterr().out

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(as_json(document("x", view.value)), parse_constant=refuse)


def test_an_answer_that_is_nested_too_deep_is_garbage() -> None:
    """Whoever walks through it later must not fall."""
    deep: object = "x"
    for _ in range(600):
        deep = [deep]
    (told,) = facts(_world({"system": deep}), [BAD])
    assert "nested more than 50 deep" in told.trouble


def test_the_words_of_a_fault_are_cut() -> None:
    """A member's megabytes of trouble do not fill a terminal."""
    said = greeted(answer({"what": "x" * 100_000, "todo": "y" * 100_000}).replace(b"V", b"X", 1))
    world = context(ToldTransport(lambda server, argv: ToldPipe(said)), None, SystemClock())
    (told,) = facts(world, [BAD])
    assert len(told.trouble) < 600
    assert len(told.todo) == 500
