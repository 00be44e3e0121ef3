"""Checks that go on from the one before: that they come out as any other, and what they ask for."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.adapters.store.sqlite import SqliteStore
from multiall_cli.domain.baseline import Code, Expectation, Rule, ServerHealth
from multiall_cli.domain.health import HealthState, RuleState, Sample, Transition, Waiver
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.engine.check import CheckJob, check, recall
from multiall_cli.engine.check_cache import CheckCache
from multiall_cli.engine.fact_client import FactClient, ask, collect_changes, to_ask
from multiall_cli.engine.health_codec import pack, unpack
from tests.fixtures.contexts import context
from tests.fixtures.gauged import Facts, Told, Wires
from tests.scale import examples

SERVERS = tuple(Server(name, "192.0.2.1", Link.SSH) for name in ("web1", "web2"))
FREE = (Expectation("used", warning=0.8, critical=0.9),)
KEEP = 1e9


@dataclass
class Clock:
    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def disk(name: str, path: str = "x", check: str = "disk", **more: Any) -> Rule:
    return Rule(name, check, {"path": path}, FREE, **more)


RULES = (
    disk("plain"),
    disk("also", "x"),
    disk("other", "y"),
    disk("seldom", "y", every=20.0),
    disk("later", "z", lasting=15.0),
    disk("often", "z", often=(2, 3)),
    disk("sticky", "z", clear=0.5),
    disk("alike", "x", same=("used",)),
    disk("after", "y", needs=("plain",)),
    disk("busy", "x", check="cpu"),
)
ASIDE = (disk("aside", "w"),)


@dataclass
class Desk:
    """One admin host with its store. `recent`: it keeps what it can; else each look is as the first of a process."""

    store: SqliteStore
    members: dict[str, Facts]
    recent: CheckCache | None = None
    clock: Clock = field(default_factory=Clock)

    def look(self, duties: list[CheckJob], recent: CheckCache | None = None) -> list[ServerHealth]:
        world = context(Wires(self.members), self.store, self.clock, parallel=1)
        return sorted(check(world, duties, lambda _, values: values, KEEP, recent), key=lambda each: each.server)

    def kept(self) -> tuple[dict[str, HealthState], list[list[Sample]], list[Transition]]:
        """All that the store has of it."""
        names = [each.name for each in SERVERS]
        samples = [list(self.store.health.samples(name, rule.id, 0.0)) for name in names for rule in (*RULES, *ASIDE)]
        return recall(self.store, names), samples, list(self.store.health.transitions(1000))


def members() -> dict[str, Facts]:
    return {each.name: Facts(each, {path: {"used": 0.1, "present": True} for path in "wxyz"}) for each in SERVERS}


def duties(**more: Any) -> list[CheckJob]:
    names = [each.name for each in SERVERS]
    return [CheckJob(each, RULES, group=tuple(names), aside=ASIDE, **more) for each in SERVERS]


TOLD: st.SearchStrategy[Told] = st.one_of(
    st.sampled_from([0.1, 0.6, 0.85, 0.95]).map(lambda used: {"used": used, "present": True, "free": used}),
    st.integers(0, 9).map(lambda free: {"used": 0.1, "present": True, "free": free}),
    st.just({"present": False}),
    st.just({"trouble": "it hangs", "kind": "timeout"}),
)
EVENTS = st.sampled_from(["", "", "", "forgets", "another admin host", "away", "maintenance", "waived", "drift"])


def told(moved: Mapping[tuple[str, str], Told], *desks: Desk) -> None:
    for desk in desks:
        for (name, path), facts in moved.items():
            desk.members[name].facts[path] = facts


def looked(desk: Desk, event: str) -> list[ServerHealth]:
    """One look, under what is the case then."""
    for each in desk.members.values():
        each.looks += 1
        each.is_down = event == "away" and each.server.name == "web1"
        if event == "forgets":
            each.kept.clear()
    if event == "another admin host":
        desk.look(duties())
        desk.clock.at += 1.0
    if event == "drift":
        drifting = [replace(each, rules=(*RULES, *ASIDE), aside=()) for each in duties()]
        return desk.look(drifting, desk.recent)
    waived = {"plain": Waiver("plain", "@all", 1e9, "it is known", "ann")} if event == "waived" else {}
    return desk.look(duties(maintenance="its disk" if event == "maintenance" else "", waived=waived), desk.recent)


@examples(60)
@given(st.data())
def test_it_comes_out_as_if_nothing_had_been_kept(data: st.DataObject) -> None:
    """What is told, remembered, sampled and noted as a turn: whatever changes, and whoever looks in between."""
    places = st.tuples(st.sampled_from([each.name for each in SERVERS]), st.sampled_from("wxyz"))
    with (
        TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder, "a"))) as one,
        closing(SqliteStore(Path(folder, "b"))) as other,
    ):
        cold, warm = Desk(one, members()), Desk(other, members(), CheckCache())
        for _ in range(data.draw(st.integers(2, 7))):
            told(data.draw(st.dictionaries(places, TOLD, max_size=4)), cold, warm)
            event = data.draw(EVENTS)
            assert looked(warm, event) == looked(cold, event)
            assert warm.kept() == cold.kept()
            cold.clock.at = warm.clock.at = warm.clock.at + data.draw(st.sampled_from([5.0, 10.0, 30.0, -7.0]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(SqliteStore(tmp_path)) as store:
        yield Desk(store, members(), CheckCache())


def test_what_was_looked_at_with_others_is_held_as_of_then(tmp_path: Path) -> None:
    """Looks at what pools declare too, one after the other: the next look, without them, knows when that was."""
    with closing(SqliteStore(tmp_path)) as store:
        desk = Desk(store, members(), CheckCache())
        for event in ("drift", "drift", "drift", ""):
            looked(desk, event)
            desk.clock.at += 5.0
        held = desk.kept()[0]["web1"].rules
        assert (held["aside"].at, held["plain"].at) == (1010.0, 1015.0)


@pytest.mark.parametrize("recent", [None, CheckCache()])
def test_of_what_is_not_due_there_is_no_sample_and_of_what_turns_a_note(
    tmp_path: Path, recent: CheckCache | None
) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        desk, one = Desk(store, members(), recent), [CheckJob(SERVERS[0], RULES[:4])]
        for used in (0.1, 0.95, 0.95, 0.1):
            desk.members["web1"].facts["y"] = {"used": used}
            desk.look(one, desk.recent)
            desk.clock.at += 10.0
        codes = {rule.id: [int(each.code) for each in store.health.samples("web1", rule.id, 0.0)] for rule in RULES[:4]}
        assert codes == {"plain": [200] * 4, "also": [200] * 4, "other": [200, 400, 400, 200], "seldom": [200, 400]}
        turned = [(each.at, each.rule, int(each.after)) for each in store.health.transitions(9)]
        assert turned == [(1030.0, "other", 200), (1020.0, "seldom", 400), (1010.0, "other", 400)]


def asked(desk: Desk) -> dict[str, Any]:
    return desk.members["web1"].calls[-1]


def test_a_request_is_sent_once(desk: Desk) -> None:
    """And its values by name, so that what nobody asks for keeps nobody awake."""
    rules = (disk("plain"), disk("busy", check="cpu"))
    one = [CheckJob(SERVERS[0], rules)]
    desk.look(one, desk.recent)
    names = ["count", "open", "present", "used", "why"]
    assert asked(desk)["wanted"] == [["disk", {"path": "x"}, None, names], ["cpu", {"path": "x"}, None, names]]
    desk.members["web1"].looks = 7
    desk.look(one, desk.recent)
    assert asked(desk) == {"within": 5.0, "since": "answer 1", "marks": [[1, [0]]]}
    desk.look(one, desk.recent)
    assert asked(desk) == {"within": 5.0, "since": "answer 2", "marks": [[1, [7]]]}
    desk.look(one)
    assert "since" not in asked(desk), "who keeps nothing asks for all"


def test_a_member_that_has_forgotten_is_asked_for_all(desk: Desk) -> None:
    one = [CheckJob(SERVERS[0], (disk("plain"),))]
    desk.look(one, desk.recent)
    desk.members["web1"].kept.clear()
    desk.members["web1"].facts["x"] = {"used": 0.95}
    (found,) = desk.look(one, desk.recent)
    assert ([*desk.members["web1"].calls[1]], asked(desk)["keep"]) == (["within", "since", "marks"], True)
    assert found.code is Code.CRIT_LIMIT


def test_no_more_is_kept_than_was_said(desk: Desk) -> None:
    few, both = CheckCache(1), [CheckJob(each, RULES[:1]) for each in SERVERS]
    for _ in range(2):
        desk.look(both, few)
    since = ["since" in each.calls[-1] for each in desk.members.values()]
    assert sorted(since) == [False, True]
    assert [few.take(each.name) is not None for each in SERVERS].count(True) == 1
    assert all(few.take(each.name) is None for each in SERVERS), "who has taken it has it alone"


@dataclass
class Saying(Facts):
    """A session in which all is told at first, and one thing to whatever is asked from then on."""

    first: Told = field(default_factory=dict)
    then: object = None

    def _gauge(self, **arguments: Any) -> Any:
        return self.then if "since" in arguments else {**self.first, "token": "t"}


def saying(then: object, *first: Told) -> FactClient:
    session = Saying(SERVERS[0], first={"read": [{"values": each} for each in first]}, then=then)
    return FactClient(session, Clock(), lambda _, values: values)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
CHANGED = st.lists(st.tuples(ANYTHING | st.integers(-2, 2), ANYTHING).map(list) | ANYTHING, max_size=3)


@given(st.fixed_dictionaries({"changed": CHANGED | ANYTHING, "token": ANYTHING}))
def test_what_a_member_says_of_changes_is_held_against_sense(told: dict[str, object]) -> None:
    """In place of an answer that makes none, all is asked for; and there is a reading in any case."""
    asker = saying(told, {"used": 0.95})
    before = collect_changes(asker, to_ask([disk("plain")]), {})
    after = collect_changes(asker, before, {})
    assert [*after.readings] == [*before.readings]
    assert isinstance(after.token, str)


@pytest.mark.parametrize(
    "changed", [None, {}, [1], [[0]], [[True, {}]], [["0", {}]], [[1, {}]], [[-1, {}]], [[0.0, {}]], [[0, {}, 1]]]
)
def test_changes_without_sense_are_no_changes(changed: object) -> None:
    asker = saying({"changed": changed, "token": "u"}, {"used": 0.95})
    before = collect_changes(asker, to_ask([disk("plain")]), {})
    again = collect_changes(asker, before, {})
    assert (again.readings, again.token) == (before.readings, "t")
    assert collect_changes(saying({"changed": [], "token": "u"}), before, {}).token == "u"


def test_what_depends_on_the_time_is_read_anew_each_time() -> None:
    """An answer that did not change is not yet the same reading."""
    rules = [Rule("ends", "certificate", {}, (Expectation("left", critical=9.0),)), Rule("clock", "clock", {}, FREE)]
    clock = Clock(1000.0)
    session = saying({"changed": [], "token": "u"}, {"end": 2000.0}, {"now": 1000.0}).session
    asker = FactClient(session, clock, lambda _, values: {"left": float(str(values["end"])) - clock.now()})
    before = collect_changes(asker, to_ask(rules), {})
    clock.at = 1500.0
    after = collect_changes(asker, before, {})
    values = [[each.values for each in asked.readings.values()] for asked in (before, after)]
    assert values == [[{"left": 1000.0}, {"offset": 0.0}], [{"left": 500.0}, {"offset": 500.0}]]
    assert ask(asker, to_ask(rules), {}).token == "t"


FLOATS = st.floats(0.0, 1e12)
HELD = st.builds(
    RuleState, st.sampled_from(Code), FLOATS, FLOATS, st.sampled_from([0.0, 5.0, 7.0]), st.text(), st.text(), st.text(),
    st.none() | st.sampled_from(Code), st.none() | FLOATS, st.text(), st.text(),
)  # fmt: skip


@given(st.dictionaries(st.text(), HELD), st.dictionaries(st.text(), st.text()), st.sampled_from([0.0, 5.0]))
def test_what_is_kept_is_what_was_held(rules: dict[str, RuleState], marks: dict[str, str], at: float) -> None:
    memory = HealthState(rules, marks, "it is away")
    assert unpack(pack(memory, at)) == memory


def test_what_an_earlier_release_kept_is_read() -> None:
    row = [200, 1.0, 0.0, 3.0, "", "used 10 %", "", None, 0.1, "", "d"]
    packed = json.dumps({"rules": {"disk": row}, "marks": {"a": "[1]"}, "lost": ""}).encode()
    assert unpack(packed) == HealthState(
        {"disk": RuleState(Code.OK, 1.0, 0.0, 3.0, "", "used 10 %", "", None, 0.1, "", "d")}, {"a": "[1]"}
    )
