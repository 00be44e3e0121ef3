"""A loop that is asked time after time: it tells what changed, and knows when it does not."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.adapters.local import LocalTransport
from multiall_cli.adapters.session_pool import PooledTransport
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.baseline import Code, Expectation, Rule, ServerHealth
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.engine.check import CheckJob, check
from multiall_cli.engine.check_cache import CheckCache
from multiall_cli.ports.session import Session
from tests.fixtures.contexts import context

HERE = Server("here", "localhost", Link.LOCAL)
Told = dict[str, Any]
Ask = Callable[..., Told]


@pytest.fixture
def session() -> Iterator[Session]:
    with closing(LocalTransport(10.0).open(HERE)) as opened:
        yield opened


@pytest.fixture
def ask(session: Session) -> Ask:
    return lambda **arguments: dict(session.call("collect", within=5.0, **arguments).value())


def files(*paths: Path, names: list[str] | None = None) -> list[list[Any]]:
    return [["file", {"path": str(path)}, None, names or ["present", "size"]] for path in paths]


def test_only_what_changed_is_told(ask: Ask, tmp_path: Path) -> None:
    """In its place, and with the values that were asked for."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    told = ask(wanted=files(one, two), keep=True)
    assert told["read"] == [{"values": {"present": True, "size": 1}}, {"values": {"present": False}}]
    told = ask(since=told["token"])
    assert told["changed"] == []
    two.write_text("22")
    told = ask(since=told["token"])
    assert told["changed"] == [[1, {"values": {"present": True, "size": 2}}]]
    one.unlink()
    told = ask(since=told["token"])
    assert told["changed"] == [[0, {"values": {"present": False}}]]
    assert ask(since=told["token"])["changed"] == []


def test_all_values_of_one_whose_names_are_not_given(ask: Ask, tmp_path: Path) -> None:
    file = ["file", {"path": str(tmp_path)}, None]
    told = ask(wanted=[file, [*file, None], [*file, ["mode"]]])["read"]
    assert [len(each["values"]) for each in told] == [7, 7, 1]


def test_an_answer_is_gone_on_from_once(ask: Ask, tmp_path: Path) -> None:
    """One that may not have come is not what the next one is told against."""
    token = ask(wanted=files(tmp_path), keep=True)["token"]
    assert "changed" in ask(since=token)
    assert ask(since=token) == {"unknown": True}
    assert ask(since="another") == {"unknown": True}


def test_a_few_answers_are_remembered(ask: Ask, tmp_path: Path) -> None:
    tokens = [ask(wanted=files(tmp_path / str(at)), keep=True)["token"] for at in range(5)]
    assert [ask(since=each).get("unknown") for each in tokens] == [True, None, None, None, None]
    assert "token" not in ask(wanted=files(tmp_path))


def test_marks_are_those_that_are_given(ask: Ask, tmp_path: Path) -> None:
    """Not those of the time before: another admin host may have looked since."""
    log = tmp_path / "log"
    log.write_text("ERROR before\n")
    wanted = [["log", {"path": str(log), "pattern": "ERROR"}, None, ["count"]], *files(tmp_path)]
    first = ask(wanted=wanted, keep=True)
    mark = first["read"][0]["mark"]
    with log.open("a") as opened:
        opened.write("ERROR now\n")
    told = ask(since=first["token"], marks=[[0, mark]])
    assert told["changed"][0][1]["values"] == {"count": 1}
    told = ask(since=told["token"], marks=[[0, mark]])
    assert told["changed"] == [], "asked the same way it says the same"
    told = ask(since=told["token"])
    assert told["changed"][0][1]["values"] == {}, "without a mark it is a first look"


def test_one_that_hangs_hangs_again(ask: Ask, tmp_path: Path) -> None:
    """What was read around it is as it was, and stands in its place."""
    end = ["command", {"argv": ["sh", "-c", "kill -9 $(ps -o ppid= -p $$)"]}, None, ["exit"]]
    told = ask(wanted=[*files(tmp_path / "a"), end, *files(tmp_path / "b")], keep=True)
    assert told["read"][1] == {"kind": "collect", "trouble": "the process that read it ended"}
    (tmp_path / "b").touch()
    told = ask(since=told["token"])
    assert told["changed"] == [[2, {"values": {"present": True, "size": 0}}]]


class Desk:
    """Checks of this machine over one session that stays open."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "store")
        self.warm = PooledTransport(LocalTransport(10.0), 4)
        self.recent = CheckCache()
        self.watched = folder / "watched"
        expects = (Expectation("present", True), Expectation("size", critical=5.0))
        others = [Rule(f"there.{at}", "file", {"path": each}, expects[:1]) for at, each in enumerate(("/", "/tmp"))]
        self.rules = (Rule("watched", "file", {"path": str(self.watched)}, expects), *others)

    def look(self) -> ServerHealth:
        world = context(self.warm, self.store, SystemClock())
        duty = CheckJob(HERE, self.rules)
        (found,) = check(world, [duty], lambda _, values: values, 1e9, self.recent)
        return found

    def close(self) -> None:
        self.warm.close()
        self.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path)) as made:
        yield made


def test_a_check_that_goes_on_sees_what_changes(desk: Desk) -> None:
    codes = []
    for text in (None, None, "1", "1", "22", "333333", "333333", None):
        if text is None:
            desk.watched.unlink(missing_ok=True)
        else:
            desk.watched.write_text(text)
        codes.append(desk.look().statuses[0].code)
    missing, well, past = Code.MISSING, Code.OK, Code.CRIT_LIMIT
    assert codes == [missing, missing, well, well, well, past, past, missing]


def test_a_loop_that_ended_is_asked_for_all_anew(desk: Desk) -> None:
    """By a new one, which remembers nothing."""
    before = set(psutil.Process().children())
    desk.look()
    assert desk.look().code is Code.MISSING
    (loop,) = set(psutil.Process().children()) - before
    loop.kill()
    loop.wait()
    desk.watched.write_text("1")
    assert [desk.look().code for _ in range(3)] == [Code.COLLECT_ERROR, Code.OK, Code.OK]
