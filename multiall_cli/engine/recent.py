"""What a process that checks again and again keeps of each server, so that what did not change costs it little."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from threading import Lock

from multiall_cli.domain.baseline import Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import Held, Memory, Samples
from multiall_cli.engine.asking import Asked
from multiall_cli.engine.held import fact_key, joined, rows, unpack
from multiall_cli.planning.again import Stood, are_same
from multiall_cli.ports.store import Store

MOST_RULES = 100_000  # of which something is kept: of each it is 2 kB
MOST_ASKED = 4  # requests of one server that are kept: not all of its rules are due each time


@dataclass(frozen=True, slots=True)
class Written:
    """What the store was given of a look: kept as text, and the samples. `aside`: what was held of rules that were not
    looked at.
    """

    stood: Stood
    aside: Mapping[str, Held]
    rows: Mapping[str, str]
    samples: Samples

    def packed(self, marks: Mapping[str, str]) -> bytes:
        at = self.stood.at
        return joined(at, [*self.rows.values(), *rows(self.aside, at).values()], marks, "")


def written(stood: Stood, aside: Mapping[str, Held], before: Written | None) -> Written:
    """`before`: of the look that came before, where the same rules were looked at."""
    kept = {} if before is None else dict(before.rows)
    kept.update(rows(stood.held_anew, stood.at))
    return Written(stood, aside, kept, _samples(stood, aside, before))


def _samples(stood: Stood, aside: Mapping[str, Held], before: Written | None) -> Samples:
    """Of a rule that was not read there is none."""
    if before is None or [*before.aside] != [*aside]:
        names = (*(rule.id for rule in stood.rules), *aside)
        codes: list[int] = [0] * len(names)
        values: list[float | None] = [None] * len(names)
        judged: Iterable[int] = range(len(stood.rules))
    else:
        names, judged = before.samples.rules, stood.anew
        codes, values = list(before.samples.codes), list(before.samples.values)
    for place in judged:
        held = stood.held[stood.rules[place].id]
        codes[place], values[place] = (int(held.code), held.value) if held.at == stood.at else (0, None)
    return Samples(names, codes, values)


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one server. `packed`: what the store was given; whoever finds something else there has to read that."""

    packed: bytes
    written: Written
    marks: Mapping[str, str]
    asked: Sequence[Asked]

    @property
    def size(self) -> int:
        """How many rules it is about."""
        return len(self.written.stood.rules) + len(self.written.aside)


class Recent:
    """What is kept of servers, with `most` rules of theirs together. Safe to use from many threads: what one has taken,
    another does not find.
    """

    def __init__(self, most: int = MOST_RULES) -> None:
        self._room = most
        self._kept: dict[str, Kept] = {}
        self._lock = Lock()

    def take(self, server: str) -> Kept | None:
        with self._lock:
            kept = self._kept.pop(server, None)
            self._room += kept.size if kept is not None else 0
            return kept

    def put(self, server: str, kept: Kept) -> None:
        """Of a server for which there is no room left, nothing is kept: it is asked for everything."""
        self.take(server)
        with self._lock:
            if kept.size <= self._room and server not in self._kept:
                self._kept[server] = kept
                self._room -= kept.size


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a server from before: as we kept it, where the store holds just what we wrote, else as that has
    it.
    """

    marks: Mapping[str, str] = field(default_factory=dict)
    asked: Sequence[Asked] = ()
    written: Written | None = None
    read: Memory = field(default_factory=Memory)

    @property
    def memory(self) -> Memory:
        if self.written is None:
            return self.read
        return Memory({**self.written.stood.whole(), **self.written.aside}, self.marks)

    @property
    def held(self) -> Mapping[str, Held]:
        """As `memory` has it, but for the times at which rules were read that are read each time."""
        if self.written is None:
            return self.read.rules
        return {**self.written.stood.held, **self.written.aside}

    def of(self, rules: Sequence[Rule]) -> Written | None:
        """What was written of just these rules."""
        known = self.written
        return known if known is not None and are_same(known.stood.rules, rules) else None

    def asked_of(self, rules: Sequence[Rule]) -> Asked | None:
        return next((each for each in self.asked if are_same(each.rules, rules)), None)

    def asked_with(self, asked: Asked) -> Sequence[Asked]:
        """The newest first."""
        others = [each for each in self.asked if not are_same(each.rules, asked.rules)]
        return [asked, *others][:MOST_ASKED]

    def marks_with(self, asked: Asked, rules: Sequence[Rule]) -> Mapping[str, str]:
        """What its facts left for the next look; of facts that nobody asks for any more nothing."""
        marks = {**self.marks, **{fact_key(fact): each.mark for fact, each in asked.readings.items() if each.mark}}
        if self.of(rules) is not None:
            return marks
        wanted = {fact_key(rule.fact) for rule in rules}
        return {fact: mark for fact, mark in marks.items() if fact in wanted}


def pasts(store: Store, servers: Sequence[str], recent: Recent | None) -> dict[str, Past]:
    """What is known of servers."""
    packed = store.health.servers(servers)
    return {name: _past(packed.get(name), recent.take(name) if recent is not None else None) for name in servers}


def _past(packed: bytes | None, kept: Kept | None) -> Past:
    if kept is not None and kept.packed == packed:
        return Past(kept.marks, kept.asked, kept.written)
    memory = unpack(packed)
    return Past(memory.marks, kept.asked if kept is not None else (), None, memory)
