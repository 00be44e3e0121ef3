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
from typing import Any, Generic, TypeVar

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


def parameters(cls: type) -> list[tuple[str, bool]]:
    found = inspect.signature(cls).parameters.values()
    return [(each.name, each.default is inspect.Parameter.empty) for each in found]


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
    assert parameters(ours) == parameters(theirs)
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
