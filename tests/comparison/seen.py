"""What was observed of a program in an awkward case, and what can be asked of that."""

import re
from collections.abc import Callable
from dataclasses import dataclass

ESC, C1 = "\x1b", "\x9b"


@dataclass(frozen=True, slots=True)
class Seen:
    """How one run ended, and what it did to the world.

    `out`, `err`: as printed; `done`: the servers on which it took effect; `executed`: something ran on the admin's own
    machine that nobody asked for; `grown`: MB of memory beyond a run that prints nothing; `sent`: bytes to one member.
    """

    exit: int
    out: str
    err: str
    peak: float = 0.0
    done: frozenset[str] = frozenset()
    executed: bool = False
    grown: float = 0.0
    sent: int = 0

    @property
    def said(self) -> str:
        return self.out + self.err


Check = Callable[[Seen], bool]


@dataclass(frozen=True, slots=True)
class Expected:
    """In words for the page, and as questions that must all be answered with yes."""

    words: str
    checks: tuple[Check, ...]


def expect(words: str, *checks: Check) -> Expected:
    return Expected(words, checks)


def exits(code: int) -> Check:
    return lambda seen: seen.exit == code


def fails(seen: Seen) -> bool:
    return seen.exit != 0


def says(pattern: str) -> Check:
    return lambda seen: re.search(pattern, seen.said) is not None


def silent(pattern: str = ".") -> Check:
    """Nothing of this kind is said."""
    return lambda seen: re.search(pattern, seen.said) is None


def did(*servers: str) -> Check:
    """It took effect on these and on no others."""
    return lambda seen: seen.done == frozenset(servers)


def executed(seen: Seen) -> bool:
    return seen.executed


def harmless(seen: Seen) -> bool:
    return not seen.executed


def steers(seen: Seen) -> bool:
    """Control characters of a member arrive as they are."""
    return ESC in seen.said


def escaped(seen: Seen) -> bool:
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", seen.said) and "\\x1b" in seen.said


def grows(more_than: float) -> Check:
    """A bound well below what was measured: another allocator or a busy machine moves peaks by a third."""
    return lambda seen: seen.grown > more_than


def stays(below: float) -> Check:
    return lambda seen: seen.grown < below


def sends(at_least: int) -> Check:
    return lambda seen: seen.sent >= at_least


def spares(below: int) -> Check:
    return lambda seen: seen.sent < below


def prints(least: int, most: int) -> Check:
    """So many bytes."""
    return lambda seen: least <= len(seen.said) <= most
