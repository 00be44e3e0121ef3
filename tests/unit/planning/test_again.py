"""What is judged anew: that it comes out as if all were, and that no more is judged than has to be."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.domain.baseline import Code, Expectation, Fact, FactValue, Rule
from multiall_cli.domain.health import RuleState, Waiver
from multiall_cli.planning.evaluate import Circumstances, evaluate
from multiall_cli.planning.reevaluate import Evaluation, are_same, evaluate_all, reevaluate
from multiall_cli.planning.thresholds import comparable

LIMITS = (Expectation("used", warning=0.8, critical=0.9),)
OVER = (Expectation("used", critical=0.9),)
VALUES = (0.1, 0.75, 0.85, 0.95)
NAMES = ("a", "b", "c", "d", "e", "f")

READINGS = st.one_of(
    st.sampled_from(VALUES).map(lambda used: FactValue({"used": used})),
    st.sampled_from(VALUES).map(lambda used: FactValue({"used": used}, mark="[1]")),
    st.just(FactValue({}, mark="[1]")),
    st.just(FactValue({})),
    st.just(FactValue(trouble="it hangs", code=Code.TIMEOUT)),
)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Of every kind that time, earlier looks, brothers or others have a say in; some share a subject."""
    found: list[Rule] = []
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        check, expects = draw(st.sampled_from([("disk", LIMITS), ("cpu", OVER)]))
        found.append(
            Rule(
                name,
                check,
                {"path": draw(st.sampled_from("xyz"))},
                expects,
                most=draw(st.sampled_from([3, 4])),
                lasting=draw(st.sampled_from([0.0, 0.0, 15.0])),
                clear=draw(st.sampled_from([None, None, 0.7])),
                needs=tuple(draw(st.lists(st.sampled_from([each.id for each in found]), max_size=2))) if found else (),
                often=draw(st.sampled_from([(1, 1), (1, 1), (2, 3)])),
                every=draw(st.sampled_from([0.0, 0.0, 20.0])),
                same=draw(st.sampled_from([(), (), ("used",)])),
            )
        )
    return tuple(found)


@st.composite
def circumstances(draw: st.DrawFn, now: float) -> Circumstances:
    waived = draw(st.sets(st.sampled_from(NAMES), max_size=2))
    most = draw(st.sampled_from([None, *VALUES]))
    return Circumstances(
        now,
        draw(st.sampled_from(["", "", "its disk"])),
        {name: Waiver(name, "web1", 1e9, "it is known", "ann") for name in waived},
        draw(st.sampled_from([{}, {name: {"used": most and comparable(most)} for name in NAMES}])),
    )


@dataclass
class Desk:
    """The same looks twice: all judged each time, and only what has to be."""

    rules: tuple[Rule, ...]
    held: dict[str, RuleState] = field(default_factory=dict)
    stood: Evaluation | None = None
    readings: dict[Fact, FactValue] = field(default_factory=dict)

    def look(self, moved: dict[Fact, FactValue], now: Circumstances) -> None:
        self.readings = {**self.readings, **moved}
        statuses, self.held = evaluate("web1", self.rules, self.readings, self.held, now)
        if self.stood is None:
            self.stood = evaluate_all("web1", self.rules, self.readings, {}, now)
        else:
            self.stood = reevaluate("web1", self.stood, self.readings, now)
        assert self.stood.statuses == statuses
        assert list(self.stood.whole().items()) == list(self.held.items())
        assert self.stood.codes == {each.code for each in statuses}

    def anew(self) -> Sequence[str]:
        assert self.stood is not None
        return [self.rules[place].id for place in self.stood.anew]


@given(st.data())
def test_it_comes_out_as_if_all_were_judged(data: st.DataObject) -> None:
    """Over any looks: readings that come, change and stay, clocks that go on and back, whatever holds then."""
    desk, now = Desk(data.draw(rules())), 1000.0
    facts = sorted({rule.fact for rule in desk.rules})
    desk.look({fact: data.draw(READINGS) for fact in facts}, data.draw(circumstances(now)))
    for _ in range(data.draw(st.integers(1, 8))):
        now += data.draw(st.sampled_from([0.0, 5.0, 10.0, 30.0, -5.0, -40.0]))
        moved = data.draw(st.dictionaries(st.sampled_from(facts), READINGS, max_size=3))
        desk.look(moved, data.draw(circumstances(now)))


@given(st.data())
def test_what_was_not_read_stands_as_it_did(data: st.DataObject) -> None:
    """Also of rules that are always due: whoever asked for less wanted it so."""
    desk, now = Desk(data.draw(rules())), 1000.0
    facts = sorted({rule.fact for rule in desk.rules})
    for _ in range(data.draw(st.integers(2, 6))):
        now += data.draw(st.sampled_from([0.0, 7.0]))
        desk.readings = {}
        desk.look(data.draw(st.dictionaries(st.sampled_from(facts), READINGS)), data.draw(circumstances(now)))


def disk(name: str, **more: object) -> Rule:
    return Rule(name, "disk", {"path": name}, LIMITS, **more)  # type: ignore[arg-type]


def test_only_what_may_differ_is_judged() -> None:
    """What is well is not, until it is read as something else; what fails is, for time goes on."""
    desk = Desk((disk("a"), disk("b"), disk("c", every=60.0), disk("d", clear=0.7)))
    well = {rule.fact: FactValue({"used": 0.5}) for rule in desk.rules}
    desk.look(well, Circumstances(1.0))
    assert desk.anew() == ["a", "b", "c", "d"]
    desk.look({}, Circumstances(2.0))
    assert desk.anew() == ["c", "d"]
    desk.look({desk.rules[0].fact: FactValue({"used": 0.95})}, Circumstances(3.0))
    assert desk.anew() == ["a", "c", "d"]
    desk.look({}, Circumstances(4.0))
    assert desk.anew() == ["a", "c", "d"]
    desk.look({desk.rules[0].fact: FactValue({"used": 0.5})}, Circumstances(5.0))
    desk.look({}, Circumstances(6.0))
    assert desk.anew() == ["c", "d"]
    desk.look({}, Circumstances(5.5))
    assert desk.anew() == ["a", "b", "c", "d"], "its clock was set back"


def test_rules_that_are_equal_are_not_the_same() -> None:
    one, other = disk("a"), disk("a")
    assert one == other
    assert are_same((one,), (one,))
    assert not are_same((one,), (other,))
    assert not are_same((one,), (one, one))
