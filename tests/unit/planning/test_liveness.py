"""The state machine of liveness: each rule as a table, and what must hold for any evidence at all."""

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.topology import Event, Evidence, ProbeLevel, State
from multiall_cli.planning.liveness import FAST, Liveness, Profile, SavedServer

ADMIN = "adm"
NAMES = ("a", "b", "c", "d", "e", "f")
PLACES = {name: f"rack={'12'[at % 2]}" for at, name in enumerate(NAMES)}
DESTRUCTIVE = (State.DOWN, State.UNREACHABLE, State.PARTITIONED)
PROFILE = Profile(every=5, window=10, over=10, rounds=3)


class World:
    """A machine with a clock of its own; what is not told to be silent answers."""

    def __init__(self, profile: Profile = PROFILE, names: Sequence[str] = NAMES, **more: object) -> None:
        self.t = 1000.0
        self.events: list[Event] = []
        self.machine = Liveness(ADMIN, {name: PLACES.get(name, name) for name in names}, profile, **more)  # type: ignore[arg-type]
        self.names = names

    def tell(self, *samples: tuple[str, str, ProbeLevel], trouble: str = "", lag: float = 0.0) -> None:
        for observer, target, rung in samples:
            self.machine.observe(Evidence(observer, target, rung, self.t, trouble=trouble, lag=lag), self.t)
        self.events += self.machine.tick(self.t)

    def round(self, silent: Iterable[str] = (), seconds: float = 5.0, rung: ProbeLevel = ProbeLevel.AUTH) -> None:
        """Everyone is probed once; of the silent ones nothing comes."""
        gone = set(silent)
        self.t += seconds
        self.tell(*((ADMIN, name, ProbeLevel.TIMEOUT if name in gone else rung) for name in self.names))

    def ask(self, target: str, rung: ProbeLevel, *observers: str) -> None:
        self.tell(*((observer, target, rung) for observer in observers))

    def state(self, name: str) -> State:
        return self.machine.verdict(name).state


def _up(profile: Profile = PROFILE, **more: object) -> World:
    world = World(profile, **more)
    world.round()
    assert {world.state(name) for name in NAMES} == {State.UP}
    return world


def test_who_answers_is_up_and_who_does_not_is_suspect() -> None:
    """And up again at its first answer."""
    world = _up()
    world.round(["a"])
    assert world.state("a") is State.SUSPECT
    world.round()
    assert world.state("a") is State.UP
    assert [(event.server, event.after) for event in world.events[-2:]] == [("a", "suspect"), ("a", "up")]


def test_down_needs_the_window_and_the_denial_of_others() -> None:
    """Neither alone is enough."""
    world = _up()
    for _ in range(10):
        world.round(["a"])
    assert world.state("a") is State.SUSPECT, "no brother was asked"
    world.ask("a", ProbeLevel.TIMEOUT, "b", "c")
    assert world.state("a") is State.SUSPECT, "two of three"
    world.ask("a", ProbeLevel.NO_ROUTE, "d")
    assert world.state("a") is State.DOWN
    assert "denied by b, c, d" in world.machine.verdict("a").reason


def test_old_praise_of_many_drives_out_no_new_denial() -> None:
    """All had reached it before it fell silent; the three who deny it are others in each round."""
    many = [f"n{number}" for number in range(30)]
    world = World(names=["a", *many])
    world.round()
    world.ask("a", ProbeLevel.TCP, *many)
    for number in range(3):
        world.round(["a"])
        world.ask("a", ProbeLevel.TIMEOUT, *many[9 - 3 * number : 12 - 3 * number])
    assert world.state("a") is State.DOWN, world.machine.verdict("a").reason


def test_denials_before_the_window_is_over_are_not_enough() -> None:
    """However many."""
    world = _up()
    world.round(["a"])
    world.ask("a", ProbeLevel.TIMEOUT, *NAMES[1:])
    assert world.state("a") is State.SUSPECT


def test_a_pool_of_two_asks_the_one_brother_that_there_is() -> None:
    """As many as could be asked must deny it."""
    world = World(names=("a", "b", "c"))
    world.round()
    for _ in range(3):
        world.round(["a"])
    world.ask("a", ProbeLevel.TIMEOUT, "b", "c")
    assert world.state("a") is State.DOWN


@pytest.mark.parametrize("rung", [ProbeLevel.ICMP, ProbeLevel.REFUSED])
def test_who_shows_life_is_degraded_and_never_down(rung: ProbeLevel) -> None:
    """A machine that refuses connections has power and a network."""
    world = _up()
    for _ in range(20):
        world.t += 5
        world.tell((ADMIN, "a", rung), *((name, "a", ProbeLevel.TIMEOUT) for name in NAMES[1:]))
        assert world.state("a") is State.DEGRADED


def test_trouble_has_its_words() -> None:
    """What is wrong stays to be read."""
    world = _up()
    world.t += 5
    world.tell((ADMIN, "a", ProbeLevel.BANNER), trouble="its host key has changed")
    assert (world.state("a"), world.machine.verdict("a").reason) == (
        State.DEGRADED,
        "its host key has changed",
    )


def test_unreachable_is_who_only_brothers_reach() -> None:
    """After one more try of ours; and it can come to be down later."""
    world = _up()
    world.round(["a"])
    world.ask("a", ProbeLevel.TCP, "b")
    assert world.state("a") is State.SUSPECT, "one lost packet is no closed way"
    world.round(["a"])
    world.ask("a", ProbeLevel.TCP, "b")
    assert world.state("a") is State.UNREACHABLE
    for _ in range(3):
        world.round(["a"])
        world.ask("a", ProbeLevel.TIMEOUT, "b", "c", "d")
    assert world.state("a") is State.DOWN


def test_partitioned_is_who_only_strangers_reach() -> None:
    """Another vantage whose word is heard, and whom we do not probe."""
    world = _up()
    world.round(["a"])
    world.round(["a"])
    world.ask("a", ProbeLevel.TCP, "other admin")
    assert world.state("a") is State.PARTITIONED


def test_a_late_probers_samples_say_nothing() -> None:
    """More than 100 ms late: it was the prober that was slow."""
    world = _up()
    world.t += 5
    world.tell((ADMIN, "a", ProbeLevel.TIMEOUT), lag=0.2)
    assert world.state("a") is State.UP


def test_a_window_is_learnt_from_silences_that_ended_well() -> None:
    """One and a half times the longest, but never less than the profile's nor more than its most."""
    world = _up()
    assert world.machine.window_of("a") == 10
    world.round(["a"])
    world.round(["a"], seconds=20)
    world.round()
    assert world.machine.window_of("a") == pytest.approx(37.5)
    for _ in range(20):
        world.round(["a"])
    world.round()
    assert world.machine.window_of("a") == 60


def _down(world: World, name: str = "a") -> None:
    for _ in range(13):
        world.round([name])
        world.ask(name, ProbeLevel.TIMEOUT, *(each for each in NAMES if each != name))
    assert world.state(name) is State.DOWN


def test_recovery_takes_rounds_time_and_a_login() -> None:
    """Three good rounds over ten seconds; without a login no number of them is enough."""
    world = _up()
    _down(world)
    for _ in range(10):
        world.round(rung=ProbeLevel.TCP)
    assert world.state("a") is State.DOWN
    world.round(rung=ProbeLevel.AUTH)
    assert world.state("a") is State.UP
    _down(world)
    world.round(seconds=1)
    world.round(seconds=1)
    world.round(seconds=1)
    assert world.state("a") is State.DOWN, "three rounds within two seconds"


def test_flapping_makes_recovery_harder_and_ends() -> None:
    """Each flap counts for less as time goes by."""
    world = _up()
    for _ in range(2):
        _down(world)
        for _ in range(4):
            world.round()
    assert world.machine.verdict("a").flapping
    _down(world)
    for _ in range(4):
        world.round()
    assert world.state("a") is State.DOWN, "what was enough before is not now"
    for _ in range(40):
        world.round()
    assert world.state("a") is State.UP
    world.t += 5 * 3600
    world.round(["a"])
    world.round()
    assert not world.machine.verdict("a").flapping


def test_who_loses_much_at_once_suspects_itself() -> None:
    """Nothing goes down as long as that lasts, and then every silence begins anew."""
    world = _up()
    for _ in range(20):
        world.round(NAMES)
        for name in NAMES:
            world.ask(name, ProbeLevel.TIMEOUT, *(each for each in NAMES if each != name))
    assert {world.state(name) for name in NAMES} == {State.SUSPECT}
    frozen = [event for event in world.events if event.rule == "isolation"]
    assert [event.after for event in frozen] == ["frozen"], "told once"
    world.round()
    assert {world.state(name) for name in NAMES} == {State.UP}
    assert world.events[-1].after == "free"


def test_sentinels_that_are_gone_freeze() -> None:
    """All of them: one router may be away for reasons of its own."""
    world = _up()
    for name in ("gw", "dns"):
        world.machine.sentinel(name, answers=True)
    world.machine.sentinel("gw", answers=False)
    _down(world)
    world.machine.sentinel("dns", answers=False)
    for _ in range(10):
        world.round(["b"])
        world.ask("b", ProbeLevel.TIMEOUT, "c", "d", "e")
    assert world.state("b") is State.SUSPECT
    assert world.machine.frozen == "dns, gw cannot be reached from here"


def test_nothing_goes_down_before_all_were_looked_at() -> None:
    """A half-made picture decides nothing."""
    world = World()
    for _ in range(5):
        world.t += 5
        world.tell((ADMIN, "a", ProbeLevel.TIMEOUT), (ADMIN, "b", ProbeLevel.TCP), (ADMIN, "c", ProbeLevel.TCP))
        world.ask("a", ProbeLevel.TIMEOUT, "b", "c")
    assert world.state("a") is State.SUSPECT
    world.round(["a"])
    world.ask("a", ProbeLevel.TIMEOUT, "b", "c", "d")
    assert world.state("a") is State.DOWN


def test_a_lost_group_is_told_once_and_is_the_cause() -> None:
    """All that share a label."""
    names = [f"s{number}" for number in range(10)]
    labels = {name: ["site=x"] if number < 2 else ["site=y"] for number, name in enumerate(names)}
    world = World(names=names, labels=labels)
    world.round()
    for _ in range(4):
        world.round(["s0", "s1"])
        for name in ("s0", "s1"):
            world.ask(name, ProbeLevel.TIMEOUT, "s2", "s3", "s4")
    lost = [event for event in world.events if event.rule == "group"]
    assert [event.words for event in lost] == ["site=x is lost (2 servers)"]
    assert world.machine.verdict("s0").cause == "site=x"
    assert {event.cause for event in world.events if event.after == "down"} == {"site=x"}


def test_memory_goes_on_where_the_last_run_ended() -> None:
    """A scan each minute is one machine with one clock."""
    world = _up()
    world.round(["a"])
    again = World(memory=world.machine.memory())
    again.t = world.t
    again.round(["a"], seconds=60)
    again.ask("a", ProbeLevel.TIMEOUT, "b", "c", "d")
    assert again.state("a") is State.DOWN


def test_what_is_due_and_who_is_to_be_asked_about() -> None:
    """Whoever is well now and then, whoever is silent soon."""
    world = _up(FAST)
    assert world.machine.due("a", world.t) == world.t + FAST.every
    world.round(["a"])
    assert world.machine.suspects() == ["a"]
    assert world.machine.due("a", world.t) == world.t + FAST.again
    assert World().machine.due("a", 5.0) == 5.0
    assert FAST.bound == FAST.every + FAST.window


# --- what holds for any evidence --------------------------------------------------------------------------------------

_rungs = st.sampled_from(list(ProbeLevel))
_samples = st.builds(
    Evidence,
    observer=st.sampled_from([ADMIN, *NAMES, "stranger"]),
    target=st.sampled_from([*NAMES, "unknown"]),
    rung=_rungs,
    at=st.integers(0, 200).map(float),
    trouble=st.sampled_from(["", "slow"]),
    lag=st.sampled_from([0.0, 0.0, 0.0, 0.5]),
)


def _play(steps: Sequence[Sequence[Evidence]], keep: Callable[[Evidence], bool] = lambda each: True) -> Liveness:
    machine = Liveness(ADMIN, PLACES, PROFILE)
    for number, step in enumerate(steps):
        for each in filter(keep, step):
            machine.observe(each, 10.0 * number)
        machine.tick(10.0 * number)
    return machine


@given(st.lists(_samples, max_size=5), st.lists(st.lists(_samples, max_size=6), max_size=6))
def test_the_order_of_testimonies_of_one_time_never_matters(
    together: list[Evidence], before: list[list[Evidence]]
) -> None:
    """Whatever was known before."""
    now = 10.0 * len(before)
    told = [Evidence(e.observer, e.target, e.rung, now, trouble=e.trouble, lag=e.lag) for e in together]
    ways = [_play([*before, list(way)]).verdicts() for way in list(permutations(told))[:24]]
    assert all(way == ways[0] for way in ways)


@given(st.lists(st.lists(_samples, max_size=8), max_size=30))
def test_no_single_observer_can_bring_a_server_down(steps: list[list[Evidence]]) -> None:
    """Be it the vantage, and however often it says so."""
    machine = _play(steps, lambda each: each.observer == ADMIN)
    assert not any(machine.verdict(name).state in DESTRUCTIVE for name in NAMES)


@given(st.lists(st.lists(_samples, max_size=8), max_size=30))
def test_nothing_destructive_is_decided_while_isolated(steps: list[list[Evidence]]) -> None:
    """Not by any sequence at all."""
    machine = Liveness(ADMIN, PLACES, PROFILE)
    machine.sentinel("gw", answers=True)
    machine.sentinel("gw", answers=False)
    for number, step in enumerate(steps):
        for each in step:
            machine.observe(each, 10.0 * number)
        assert not any(event.after in DESTRUCTIVE for event in machine.tick(10.0 * number))


@given(st.lists(st.lists(_samples, max_size=8), max_size=30))
def test_every_change_is_told_with_its_rule(steps: list[list[Evidence]]) -> None:
    """Each event begins where the last one ended, and the verdict is what the last one said."""
    machine = Liveness(ADMIN, PLACES, PROFILE)
    held = dict.fromkeys(NAMES, State.UNKNOWN.value)
    for number, step in enumerate(steps):
        for each in step:
            machine.observe(each, 10.0 * number)
        for event in machine.tick(10.0 * number):
            assert event.rule
            if event.server:
                assert held[event.server] == event.before
                held[event.server] = event.after
    assert {name: machine.verdict(name).state.value for name in NAMES} == held


@given(st.lists(st.lists(_samples, max_size=8), max_size=20), st.integers(0, 20))
def test_a_machine_that_forgets_its_evidence_and_keeps_its_memory_still_decides_within_its_rules(
    steps: list[list[Evidence]], cut: int
) -> None:
    """Between two runs only memory is kept."""
    first = _play(steps[:cut])
    again = Liveness(ADMIN, PLACES, PROFILE, memory=first.memory())
    for name in NAMES:
        assert again.verdict(name).state is first.verdict(name).state
    assert isinstance(again.held("a"), SavedServer)


# --- what a review found ---------------------------------------------------------------------------------------------


def test_no_verdict_while_those_who_were_asked_are_still_answering() -> None:
    """Three deny and three reach it: who answered sooner decides nothing."""
    for first, second in ((ProbeLevel.TIMEOUT, ProbeLevel.TCP), (ProbeLevel.TCP, ProbeLevel.TIMEOUT)):
        world = _up()
        for _ in range(4):
            world.round(["a"])
        for rung, observers in ((first, "bcd"), (second, "ef")):
            for observer in observers:
                world.machine.observe(Evidence(observer, "a", rung, world.t), world.t)
            world.machine.tick(world.t, judge=False)
        assert world.state("a") is State.SUSPECT
        world.machine.tick(world.t)
        assert world.state("a") is State.UNREACHABLE


def test_a_freeze_for_much_at_once_lasts_until_others_can_be_heard() -> None:
    """Not just until the next sample: for a minute, and for ever where our own word would be enough."""
    names = [f"s{number}" for number in range(10)]
    for denials, ever in ((3, False), (0, True)):
        world = World(Profile(every=5, window=10, denials=denials), names=names)
        world.round()
        for number in range(40):
            world.round(names[:3])
            if denials:
                world.ask("s0", ProbeLevel.TIMEOUT, "s4", "s5", "s6")
            assert bool(world.machine.frozen) == (ever or number * 5 < 60), number
            assert not (world.machine.frozen and world.state("s0") is State.DOWN)
        told = [event.after for event in world.events if event.rule == "isolation"]
        assert told == (["frozen"] if ever else ["frozen", "free"])


def test_the_unreachable_are_asked_about_again() -> None:
    """Else who dies later would be reachable for ever."""
    world = _up()
    world.round(["a"])
    world.round(["a"])
    world.ask("a", ProbeLevel.TCP, "b")
    assert (world.state("a"), world.machine.suspects()) == (State.UNREACHABLE, ["a"])


def test_trouble_that_a_login_met_is_refuted_by_a_login_alone() -> None:
    """A knock does not get that far."""
    world = _up()
    world.t += 5
    world.tell((ADMIN, "a", ProbeLevel.BANNER), trouble="its host key has changed")
    for rung in (ProbeLevel.TCP, ProbeLevel.BANNER):
        world.round(rung=rung)
        assert world.state("a") is State.DEGRADED
    world.round(rung=ProbeLevel.AUTH)
    assert world.state("a") is State.UP


def test_a_refusal_is_refuted_by_an_open_port() -> None:
    """And a hung sshd by its banner."""
    world = _up()
    world.t += 5
    world.tell((ADMIN, "a", ProbeLevel.REFUSED))
    world.round(rung=ProbeLevel.TCP)
    assert world.state("a") is State.UP
    world.t += 5
    world.tell((ADMIN, "a", ProbeLevel.TCP), trouble="its sshd sends no banner within 2 s")
    world.round(rung=ProbeLevel.TCP)
    assert world.state("a") is State.DEGRADED
    world.round(rung=ProbeLevel.BANNER)
    assert world.state("a") is State.UP
