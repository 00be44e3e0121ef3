"""Cache of a process that checks repeatedly, so that unchanged servers cost little."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from threading import Lock

from multiall_cli.domain.baseline import Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.health import HealthState, RuleState, Samples
from multiall_cli.engine.fact_client import FactRequest
from multiall_cli.engine.health_codec import fact_key, joined, rows, unpack
from multiall_cli.planning.reevaluate import Evaluation, are_same
from multiall_cli.ports.store import Store

MOST_RULES = 100_000  # rules in the cache; each takes 2 kB
MOST_ASKED = 4  # cached requests per server: not all of its rules are due each time


@dataclass(frozen=True, slots=True)
class SavedCheck:
    """Last result that was written to the store: its rows as text, and its samples.

    `aside`: saved states of rules that were not checked.
    """

    stood: Evaluation
    aside: Mapping[str, RuleState]
    rows: Mapping[str, str]
    samples: Samples

    def packed(self, marks: Mapping[str, str]) -> bytes:
        at = self.stood.at
        return joined(at, [*self.rows.values(), *rows(self.aside, at).values()], marks, "")


def written(stood: Evaluation, aside: Mapping[str, RuleState], before: SavedCheck | None) -> SavedCheck:
    """Return the result to write. `before`: the last result, if the same rules were checked."""
    kept = {} if before is None else dict(before.rows)
    kept.update(rows(stood.held_anew, stood.at))
    return SavedCheck(stood, aside, kept, _samples(stood, aside, before))


def _samples(stood: Evaluation, aside: Mapping[str, RuleState], before: SavedCheck | None) -> Samples:
    """Return the samples. A rule that was not read has none."""
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
class CacheEntry:
    """Cached data of one server.

    `packed`: the bytes in the store; if the store has other bytes, those are read instead.
    """

    packed: bytes
    written: SavedCheck
    marks: Mapping[str, str]
    asked: Sequence[FactRequest]

    @property
    def size(self) -> int:
        """Return the number of rules."""
        return len(self.written.stood.rules) + len(self.written.aside)


class CheckCache:
    """Cached data of servers, with at most `most` rules in all.

    Safe to use from many threads: an entry can be taken once.
    """

    def __init__(self, most: int = MOST_RULES) -> None:
        self._room = most
        self._kept: dict[str, CacheEntry] = {}
        self._lock = Lock()

    def take(self, server: str) -> CacheEntry | None:
        with self._lock:
            kept = self._kept.pop(server, None)
            self._room += kept.size if kept is not None else 0
            return kept

    def put(self, server: str, kept: CacheEntry) -> None:
        """Cache a server's data. If there is no room left, it is dropped, and the next check asks for everything."""
        self.take(server)
        with self._lock:
            if kept.size <= self._room and server not in self._kept:
                self._kept[server] = kept
                self._room -= kept.size


@dataclass(frozen=True, slots=True)
class PriorState:
    """Earlier data of a server: from the cache if the store still has the bytes that we wrote, else from the store."""

    marks: Mapping[str, str] = field(default_factory=dict)
    asked: Sequence[FactRequest] = ()
    written: SavedCheck | None = None
    read: HealthState = field(default_factory=HealthState)

    @property
    def memory(self) -> HealthState:
        if self.written is None:
            return self.read
        return HealthState({**self.written.stood.whole(), **self.written.aside}, self.marks)

    @property
    def held(self) -> Mapping[str, RuleState]:
        """Return the states as in `memory`, except the read times of rules that are read each time."""
        if self.written is None:
            return self.read.rules
        return {**self.written.stood.held, **self.written.aside}

    def of(self, rules: Sequence[Rule]) -> SavedCheck | None:
        """Return the last result of exactly these rules."""
        known = self.written
        return known if known is not None and are_same(known.stood.rules, rules) else None

    def asked_of(self, rules: Sequence[Rule]) -> FactRequest | None:
        return next((each for each in self.asked if are_same(each.rules, rules)), None)

    def asked_with(self, asked: FactRequest) -> Sequence[FactRequest]:
        """Return the cached requests with this one first."""
        others = [each for each in self.asked if not are_same(each.rules, asked.rules)]
        return [asked, *others][:MOST_ASKED]

    def marks_with(self, asked: FactRequest, rules: Sequence[Rule]) -> Mapping[str, str]:
        """Return the marks of facts for the next check, without facts that no rule needs any more."""
        marks = {**self.marks, **{fact_key(fact): each.mark for fact, each in asked.readings.items() if each.mark}}
        if self.of(rules) is not None:
            return marks
        wanted = {fact_key(rule.fact) for rule in rules}
        return {fact: mark for fact, mark in marks.items() if fact in wanted}


def pasts(store: Store, servers: Sequence[str], recent: CheckCache | None) -> dict[str, PriorState]:
    """Return the earlier data of servers."""
    packed = store.health.servers(servers)
    return {name: _past(packed.get(name), recent.take(name) if recent is not None else None) for name in servers}


def _past(packed: bytes | None, kept: CacheEntry | None) -> PriorState:
    if kept is not None and kept.packed == packed:
        return PriorState(kept.marks, kept.asked, kept.written)
    memory = unpack(packed)
    return PriorState(memory.marks, kept.asked if kept is not None else (), None, memory)
