"""The engine's side of the contract with agents, held by two that are unlike files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from multiall_cli.adapters.memory import MemoryTransport
from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.errors import Locked, Refused
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Link, Rollout, Server
from multiall_cli.domain.plan import AgentPlan, Alarm, Plan
from multiall_cli.domain.report import MemberState, Report
from multiall_cli.domain.run import Entry, Stage
from multiall_cli.domain.scope import pool_scope
from multiall_cli.domain.values import Amount
from multiall_cli.engine.context import Agent, Context
from multiall_cli.engine.observe import observe
from multiall_cli.engine.sync import SyncOptions, sync
from multiall_cli.ports.agent import Known
from multiall_cli.ports.session import Session
from tests.fixtures.contexts import WithTransport, context
from tests.fixtures.tiny_agents import Majority, Positions, Value

WEB = pool_scope("web")
ONE_BY_ONE = Rollout((Amount(1),))


def server(number: int) -> Server:
    return Server(name=f"m{number}", address="localhost", link=Link.LOCAL)


@dataclass
class Pool:
    """Members m1, m2, …; each has a home of its own."""

    transport: MemoryTransport
    store: SqliteStore
    servers: tuple[Server, ...] = tuple(map(server, (1, 2, 3)))
    options: SyncOptions = field(default_factory=SyncOptions)
    parallel: int = 32

    @property
    def context(self) -> Context:
        return context(self.transport, self.store, parallel=self.parallel)

    def write(self, name: str, file: str, text: str) -> None:
        (self.transport.home(name) / file).write_text(text)

    def read(self, file: str) -> list[str]:
        homes = [self.transport.home(each.name) / file for each in self.servers]
        return [home.read_text() if home.exists() else "" for home in homes]

    def plan(self, *agents: Agent) -> Plan:
        with closing(observe(self.context, WEB, agents, self.servers)) as found:
            return found.plan

    def sync(self, *agents: Agent, **options: object) -> Report:
        return sync(self.context, WEB, agents, self.servers, replace(self.options, **options))  # type: ignore[arg-type]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with MemoryTransport() as transport, closing(SqliteStore(tmp_path / "state")) as store:
        yield Pool(transport, store)


def colors(pool: Pool, *values: str) -> Majority:
    for each, value in zip(pool.servers, values, strict=False):
        pool.write(each.name, "color", value)
    return Majority(pool.servers)


def test_what_most_members_have_all_have(pool: Pool) -> None:
    """Asked once with the whole pool; equal members are one part of the plan."""
    agent = colors(pool, "red", "blue", "red")
    assert [part.servers for part in pool.plan(agent).parts] == [("m1", "m3"), ("m2",)]
    report = pool.sync(agent)
    assert (report.exit, pool.read("color")) == (Exit.OK, ["red"] * 3)
    assert [each.state for each in report.members] == [MemberState.SAME, MemberState.CHANGED, MemberState.SAME]


def test_a_tie_is_a_conflict_and_changes_nothing(pool: Pool) -> None:
    """It is in the plan, and the run ends with exit code 4."""
    pool.servers = pool.servers[:2]
    agent = colors(pool, "red", "blue")
    assert {str(each) for each in pool.plan(agent).conflicts} == {
        "color: no value has a majority; set it on one member by hand"
    }
    assert (pool.sync(agent).exit, pool.read("color")) == (Exit.REFUSED, ["red", "blue"])


def test_a_member_that_changed_after_the_plan_is_left_alone(pool: Pool) -> None:
    """It is observed again just before its batch, by what was approved: there is no new vote."""
    pool.parallel = 1
    agent = colors(pool, "red", "blue", "red")

    def by_hand(plan: Plan) -> bool:
        pool.write("m2", "color", "green")
        return True

    report = pool.sync(agent, confirm=by_hand)
    assert (report.exit, pool.read("color")) == (Exit.PARTIAL, ["red", "green", "red"])
    assert "it is no longer what was planned" in report.members[1].reason


def test_what_another_writer_made_so_meanwhile_is_no_trouble(pool: Pool) -> None:
    pool.parallel = 1
    agent = colors(pool, "red", "blue", "red")

    def by_hand(plan: Plan) -> bool:
        pool.write("m2", "color", "red")
        return True

    report = pool.sync(agent, confirm=by_hand)
    assert (report.exit, {each.state for each in report.members}) == (Exit.OK, {MemberState.SAME})


@pytest.mark.parametrize(("tries", "color", "stage"), [(1, "green", Stage.CONFLICT), (3, "red", Stage.DONE)])
def test_an_overtaken_change_is_tried_as_often_as_the_agent_allows(
    pool: Pool, tries: int, color: str, stage: Stage
) -> None:
    """The engine observes and applies again; a session makes one attempt."""
    writes = iter([lambda: pool.write("m2", "color", "green")])
    agent = replace(colors(pool, "red", "blue", "red"), tries=tries, meanwhile=lambda name: next(writes, int)())
    report = pool.sync(agent)
    assert pool.read("color")[1] == color
    assert [each.stage for each in pool.store.journal.entries(report.run)] == [stage]


def test_a_writer_that_never_ends_wins(pool: Pool) -> None:
    numbers = iter(range(100))
    race = lambda name: pool.write("m2", "color", f"green{next(numbers)}")  # noqa: E731
    report = pool.sync(replace(colors(pool, "red", "blue", "red"), tries=3, meanwhile=race))
    assert (report.exit, pool.read("color")[1]) == (Exit.PARTIAL, "green2")
    assert "someone else keeps writing to it" in report.members[1].reason


def test_a_subject_that_another_writer_has_reserved_stops_the_run(pool: Pool) -> None:
    """It is reported as the member's, and its intents have their outcome."""

    def reserved(name: str) -> None:
        raise Locked(name, "it is held by ann", "wait for her")

    report = pool.sync(replace(colors(pool, "red", "blue", "red"), meanwhile=reserved))
    assert (report.exit, pool.read("color")[1]) == (Exit.LOCKED, "blue")
    assert (report.members[1].reason, pool.store.journal.pending()) == ("it is held by ann", [])


def test_what_another_writer_made_so_at_the_last_moment_is_no_trouble(pool: Pool) -> None:
    """Its intent is closed, and the member is as desired."""
    writes = iter([lambda: pool.write("m2", "color", "red")])
    agent = replace(colors(pool, "red", "blue", "red"), tries=3, meanwhile=lambda name: next(writes, int)())
    report = pool.sync(agent)
    assert (report.exit, pool.store.journal.pending()) == (Exit.OK, [])
    assert [each.detail for each in pool.store.journal.entries(report.run)] == ["someone else made it so"]


@dataclass(frozen=True)
class Wary(Majority):
    """Looks like an accident where another writer has been."""

    def alarms(self, part: AgentPlan[Value], known: Known, recent: Callable[[], Iterable[Entry]]) -> Sequence[Alarm]:
        odd = [each.key for each in part.changes if each.before == Value("green")]
        return [Alarm("majority.green", key, f"{key} was green") for key in odd]


def test_a_retry_that_looks_like_an_accident_is_refused_and_leaves_no_intent_open(pool: Pool) -> None:
    """The changes made before it are in the journal as done."""
    for each, size in zip(pool.servers, ("L", "M", "L"), strict=True):
        pool.write(each.name, "amount", size)
    colors(pool, "red", "blue", "red")
    writes = iter([int, lambda: pool.write("m2", "color", "green")])
    agent = Wary(pool.servers, ("amount", "color"), 3, lambda name: next(writes, int)())
    report = pool.sync(agent)
    assert (report.exit, report.members[1].reason) == (Exit.PARTIAL, "color was green")
    assert (pool.read("amount")[1], pool.read("color")[1]) == ("L", "green")
    stages = {each.key: each.stage for each in pool.store.journal.entries(report.run)}
    assert stages == {"amount": Stage.DONE, "color": Stage.FAILED}


@dataclass
class Counting:
    """A transport that counts the sessions that are open at once, and all that were opened."""

    transport: MemoryTransport
    opened: int = 0
    now: int = 0
    most: int = 0

    def open(self, server: Server) -> Session:
        session = self.transport.open(server)
        self.opened, self.now = self.opened + 1, self.now + 1
        self.most = max(self.most, self.now)
        return Counted(session, self)

    def close(self) -> None:
        """The pool's transport is the fixture's."""


class Counted:
    """A session whose end is counted."""

    def __init__(self, session: Session, counting: Counting) -> None:
        self._session, self._counting = session, counting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def close(self) -> None:
        self._counting.now -= 1
        self._session.close()


def test_a_large_pool_keeps_no_more_sessions_open_than_it_works_on(pool: Pool) -> None:
    """Members that need a change are opened again for their batch; the others are not."""
    pool.servers, pool.parallel = tuple(map(server, range(1, 8))), 1
    agent = colors(pool, "red", "blue", "red", "red", "green", "red", "red")
    counting = Counting(pool.transport)
    with_counting = replace(pool.context, adapters=WithTransport(pool.context.adapters, counting))
    report = sync(with_counting, WEB, [agent], pool.servers, SyncOptions(rollout=ONE_BY_ONE))
    assert (report.exit, pool.read("color")) == (Exit.OK, ["red"] * 7)
    assert (counting.opened, counting.most, counting.now) == (7 + 2, 1, 0)


def test_an_alarm_stops_a_plan_and_its_own_guard_lets_it_pass(pool: Pool) -> None:
    agent = colors(pool, "accident", "blue", "accident")
    with pytest.raises(Refused, match=r"color would say accident.*--force-guard majority\.accident"):
        pool.sync(agent)
    assert pool.read("color")[1] == "blue"
    assert pool.sync(agent, open_guards=frozenset({"majority.accident"})).exit is Exit.OK
    assert pool.read("color")[1] == "accident"


def logs(pool: Pool) -> Positions:
    for each in pool.servers:
        pool.write(each.name, "log", "".join(f"{each.name} line {number}\n" for number in range(3)))
    return Positions(pool.servers)


def test_each_line_arrives_once_through_an_absence(pool: Pool) -> None:
    """Observing the position is the cursor: what an absent member missed follows from the difference."""
    agent = logs(pool)
    assert pool.sync(agent).exit is Exit.OK
    pool.transport.down("m3")
    pool.write("m1", "log", "".join(f"m1 line {number}\n" for number in range(5)))
    away = pool.sync(agent)
    assert (away.exit, away.members[2].state) == (Exit.PARTIAL, MemberState.DEFERRED)
    assert [each.subject for each in pool.store.backlog.entries(WEB)] == ["m3"]
    pool.transport.up("m3")
    back = pool.sync(agent)
    assert (back.exit, back.members[2].caught_up) == (Exit.OK, 1)
    expected = "".join(f"m1 line {number}\n" for number in range(5))
    assert pool.read("from-m1") == ["", expected, expected]
    assert pool.store.backlog.entries(WEB) == []


def test_two_kinds_are_one_plan_and_one_run(pool: Pool) -> None:
    """One question, one id over both, entries of both under one run; a second sync makes none."""
    agents = (colors(pool, "red", "blue", "red"), logs(pool))
    asked: list[str] = []
    report = pool.sync(*agents, confirm=lambda plan: not asked.append(plan.id), rollout=ONE_BY_ONE)
    assert asked == [report.plan.id]
    assert {part.kind for part in report.plan.parts} == {"majority", "positions"}
    entries = pool.store.journal.entries(report.run)
    assert {(each.agent, each.stage) for each in entries} == {(each.name, Stage.DONE) for each in agents}
    assert (pool.sync(*agents).run, len(pool.store.journal.runs(9))) == ("", 1)


@pytest.mark.parametrize("stale", [True, False])
def test_a_stale_plan_id_is_refused_before_anything_is_written(pool: Pool, stale: bool) -> None:
    agents = (colors(pool, "red", "blue", "red"), logs(pool))
    planned = pool.plan(*agents).id
    if stale:
        pool.write("m2", "log", "another line\n")
        with pytest.raises(Refused, match=f"not {planned}: something changed since"):
            pool.sync(*agents, plan=planned)
        assert (pool.read("color")[1], pool.read("from-m1")[1]) == ("blue", "")
    else:
        assert pool.sync(*agents, plan=planned).exit is Exit.OK
