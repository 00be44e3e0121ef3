"""Our dataclass is the standard library's, but for when its methods are written."""

import copy
import dataclasses
import inspect
import operator
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import multiall_cli
from multiall_cli.domain.dataclass import dataclass

Item = TypeVar("Item")
MODES = (
    {"frozen": True, "slots": True},
    {"slots": True},
    {"frozen": True},
    {},
    {"frozen": True, "slots": True, "order": True},
)


def plain() -> type:
    class Plain:
        """Nothing but fields."""

        name: str
        ports: tuple[int, ...] = ()
        owner: str | None = None

    return Plain


def rich() -> type:
    class Rich:
        """Each thing that a field can be told."""

        name: str
        tags: dict[str, str] = field(default_factory=dict)
        secret: str = field(default="", repr=False)
        seen: float = field(default=0.0, compare=False)
        made: list[int] = field(default_factory=list, init=False)
        kind: str = field(default="rich", init=False)
        most: ClassVar[int] = 3
        digest: str = field(init=False, compare=False, repr=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "digest", self.name.upper())

    return Rich


def empty() -> type:
    class Empty:
        """No field."""

    return Empty


def generic() -> type:
    class Of(Generic[Item]):
        """A type with a parameter."""

        item: Item
        count: int = 1

    return Of


def own() -> type:
    class Own:
        """Methods of its own are kept."""

        name: str
        case: str = "lower"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and self.name.lower() == other.name.lower()

        def __hash__(self) -> int:
            return hash(self.name.lower())

        def __repr__(self) -> str:
            return f"<{self.name}>"

    return Own


def equal_alone() -> type:
    class Equal:
        """Python itself takes away the hash of what defines equality."""

        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and self.name.lower() == other.name.lower()

    return Equal


CASES: list[tuple[Callable[[], type], list[tuple[Any, ...]]]] = [
    (plain, [("a",), ("a", (1, 2)), ("a", (1, 2), "b"), ("b",)]),
    (rich, [("a", {}, "s"), ("a", {}, "t"), ("b", {}), ("a", {}, "s", 2.0)]),
    (empty, [()]),
    (generic, [(1,), (1, 2), ("x",)]),
    (own, [("a",), ("A", "upper"), ("b",)]),
    (equal_alone, [("a",), ("A",), ("b",)]),
]


def twins(written: Callable[[], type], mode: dict[str, bool]) -> tuple[Any, Any]:
    return dataclass(**mode)(written()), dataclasses.dataclass(**mode)(written())


def outcome(doing: Callable[..., object], *given: object, **named: object) -> object:
    try:
        return doing(*given, **named)
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


def renamed(one: Any) -> str:
    return repr(replace(one, **{fields(one)[0].name: "z"})) if fields(one) else ""


def can_be_hashed(one: object) -> object:
    return outcome(lambda: isinstance(hash(one), int))


def same_hash(one: object, two: object) -> object:
    return outcome(lambda: hash(one) == hash(two))


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize(("written", "taken"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_what_a_class_can_do_is_the_same(
    written: Callable[[], type], taken: list[tuple[Any, ...]], mode: dict[str, bool]
) -> None:
    ours, theirs = twins(written, mode)
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
    assert getattr(ours, "__slots__", None) == getattr(theirs, "__slots__", None)
    assert ours.__match_args__ == theirs.__match_args__
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert ours.__doc__ == theirs.__doc__
    assert ours.__init__.__annotations__ == theirs.__init__.__annotations__
    for values in taken:
        mine, other = ours(*values), theirs(*values)
        assert (repr(mine), renamed(mine), can_be_hashed(mine)) == (repr(other), renamed(other), can_be_hashed(other))
        assert dataclasses.asdict(mine) == dataclasses.asdict(other)
        assert copy.copy(mine) == mine == copy.deepcopy(mine)
        assert mine not in (other, values)
    for one, two in product(taken, repeat=2):
        mine, other = (ours(*one), ours(*two)), (theirs(*one), theirs(*two))
        assert (mine[0] == mine[1]) == (other[0] == other[1]), (one, two)
        if mode.get("frozen"):
            assert same_hash(*mine) == same_hash(*other), (one, two)
        for compare in (operator.lt, operator.le, operator.gt, operator.ge):
            assert outcome(compare, *mine) == outcome(compare, *other), (one, two)
            assert outcome(compare, mine[0], one) == outcome(compare, other[0], one)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_is_missing_or_too_much_is_told_alike(mode: dict[str, bool]) -> None:
    ours, theirs = twins(plain, mode)
    for values, named in (((), {}), (("a", (), None, 4), {}), (("a",), {"port": 1}), (("a",), {"name": "b"})):
        told = outcome(ours, *values, **named)
        assert told == outcome(theirs, *values, **named)
        assert isinstance(told, tuple)


@pytest.mark.parametrize("slots", [True, False])
def test_a_frozen_one_is_frozen(slots: bool) -> None:
    mine, other = (each("a") for each in twins(plain, {"frozen": True, "slots": slots}))
    assert outcome(setattr, mine, "name", "b") == outcome(setattr, other, "name", "b")
    assert outcome(delattr, mine, "name") == outcome(delattr, other, "name")
    with pytest.raises(FrozenInstanceError):
        mine.name = "b"
    with pytest.raises(FrozenInstanceError):
        mine.unknown = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """One that pickle finds by its name."""

    name: str
    tags: tuple[str, ...] = ()


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("doc", [None, ""])
def test_who_says_nothing_of_itself_has_nothing_said_of_it(doc: str | None, mode: dict[str, bool]) -> None:
    """The original writes the signature there, for which it has to read it of each class."""
    ours = dataclass(**mode)(type("Silent", (), {"__annotations__": {"name": str}, "__doc__": doc}))
    assert ours.__doc__ == doc
    assert str(inspect.signature(ours)) == "(name: str) -> None"


def one_number() -> type:
    class One:
        """A single field."""

        number: float

    return One


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_single_value_is_compared_as_several_are(mode: dict[str, bool]) -> None:
    """What is the same object is equal, though it says that it is not."""
    ours, theirs = twins(one_number, mode)
    nan = float("nan")
    assert ours(nan) == ours(nan)
    assert ours(nan) != ours(float("nan"))
    for compare in (operator.eq, operator.lt, operator.le, operator.gt, operator.ge):
        for one, two in product((nan, 1.0, 2.0), repeat=2):
            assert outcome(compare, ours(one), ours(two)) == outcome(compare, theirs(one), theirs(two))
    if mode.get("frozen"):
        assert hash(ours(1.5)) == hash(theirs(1.5))


def named_alone() -> type:
    class Named:
        """A field that is given by its name alone."""

        name: str
        port: int = field(default=22, kw_only=True)

    return Named


def named_from_there() -> type:
    class There:
        """All from there on."""

        name: str
        _: dataclasses.KW_ONLY
        port: int = 22

    return There


def passed_on() -> type:
    class Passed:
        """What is given, and not kept."""

        name: str
        port: dataclasses.InitVar[int] = 22

    return Passed


def passed_on_in_words() -> type:
    class Passed:
        """As annotations are that are not read."""

        name: str
        port: "dataclasses.InitVar[int]" = 22

    return Passed


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("written", [named_alone, named_from_there, passed_on, passed_on_in_words])
def test_what_it_cannot_do_is_refused(written: Callable[[], type], mode: dict[str, bool]) -> None:
    with pytest.raises(TypeError, match="'port' is keyword-only or an InitVar"):
        dataclass(**mode)(written())


def set_by_itself() -> type:
    class Set:
        """How it is set is its own."""

        name: str

        def __setattr__(self, name: str, value: object) -> None:
            """Nothing is set."""

    return Set


def ordered_by_itself() -> type:
    class Ordered:
        """How it is ordered is its own."""

        name: str

        def __lt__(self, other: object) -> bool:
            return True

    return Ordered


@pytest.mark.parametrize(
    ("written", "mode"), [(set_by_itself, {"frozen": True}), (ordered_by_itself, {"order": True, "slots": True})]
)
def test_a_method_of_its_own_that_it_may_not_have_is_told(written: Callable[[], type], mode: dict[str, bool]) -> None:
    told = [outcome(lambda made=made: made(**mode)(written())) for made in (dataclass, dataclasses.dataclass)]
    assert told[0] == told[1]
    assert isinstance(told[0], tuple)


def test_it_travels() -> None:
    kept = Kept("a", ("b",))
    assert pickle.loads(pickle.dumps(kept)) == kept
    match kept:
        case Kept(name, (tag,)):
            assert (name, tag) == ("a", "b")
        case _:
            pytest.fail("the pattern did not fit")


def test_each_instance_has_a_default_of_its_own() -> None:
    ours, _ = twins(rich, {"slots": True})
    one, two = ours("a"), ours("a")
    one.tags["x"] = "y"
    one.made.append(1)
    assert (two.tags, two.made) == ({}, [])


def test_a_child_has_its_parents_fields_and_an_init_of_its_own() -> None:
    @dataclass(frozen=True, slots=True)
    class Parent:
        """A."""

        name: str

    @dataclass(frozen=True, slots=True)
    class Child(Parent):
        """B."""

        age: int = 0

    class Plain(Parent):
        """No dataclass itself."""

        __slots__ = ()

    assert (Child("a", 2).name, Child("a", 2).age) == ("a", 2)
    assert (Plain("a").name, Parent("b").name) == ("a", "b")
    assert Child("a") != Parent("a")


def test_one_that_holds_itself_can_be_shown() -> None:
    ours, _ = twins(rich, {"slots": True})
    one = ours("a")
    one.tags["self"] = one
    assert "..." in repr(one)


def test_every_dataclass_of_ours_is_made_by_it() -> None:
    package = Path(multiall_cli.__file__).parent
    wrong = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.name != "dataclass.py"
        and re.search(r"^from dataclasses import .*\bdataclass\b", path.read_text(), re.M)
    ]
    assert wrong == []
