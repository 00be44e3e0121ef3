"""One round of the topology: probe servers, ask peers, and derive verdicts from the evidence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server, TopologySettings
from multiall_cli.domain.run import Progress
from multiall_cli.domain.topology import Downtime, Event, Evidence, ProbeLevel, Round, State, Topology
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.topology_codec import pack, recall
from multiall_cli.planning.liveness import LAG, Liveness, Profile
from multiall_cli.planning.neighbours import picture
from multiall_cli.planning.whom import domain_of, labels_of, probe_pairs, suspect_probes
from multiall_cli.ports.clock import Clock
from multiall_cli.ports.probes import Prober
from multiall_cli.ports.store import Store

_Asked = tuple[Sequence[Evidence], Sequence[Evidence], bool | None]

MATRIX = 32  # up to this number of servers, each is asked about every other
NEIGHBOURS = 4  # observers per server and round with more servers than that
STALE = 3  # times `every`, after which our own evidence of a server is too old to act on
SLOWLY = 20  # rounds in which every server gets one login and one banner read
SELDOM = 600.0  # seconds; the least interval of those, because each leaves lines in the server's log


@dataclass(frozen=True, slots=True)
class Watcher:
    """Settings and adapters of a round. `vantage`: our own name as an observer; `parallel`: logins at once.

    `promised`: returns the operators' downtimes, of the store and the inventory, that have not ended by then.
    """

    vantage: str
    prober: Prober
    store: Store
    clock: Clock
    settings: TopologySettings
    promised: Callable[[float], Sequence[Downtime]]
    parallel: int = 32
    watch: Callable[[Progress], None] = lambda step: None
    stop: Callable[[], bool] = lambda: False


def scan(watcher: Watcher, servers: Sequence[Server], *, links: bool | None = None, logins: bool = True) -> Round:
    """Probe every server once, silent ones twice and through peers, and save the result.

    `links`: whether to ask peers about each other too; None: only if there are few servers. `logins`: whether to log in
    to servers that are not silent; if not, links are not asked about either.
    """
    began = watcher.clock.monotonic()
    round_ = _Round(watcher, servers)
    round_.knock()
    round_.ask(links=logins and (len(servers) <= MATRIX if links is None else links), rotation=logins)
    return round_.end(watcher.clock.monotonic() - began)


class _Round:
    """State of a round in progress."""

    def __init__(self, watcher: Watcher, servers: Sequence[Server]) -> None:
        self._watcher = watcher
        self._servers = {server.name: server for server in servers}
        self._evidence: list[Evidence] = []
        self._events: list[Event] = []
        self._sampled: set[str] = set()
        self._kept = watcher.store.topology.servers(watcher.vantage)
        memory, self._turn = recall(self._kept, watcher.clock.now())
        self._seldom = max(SLOWLY, round(SELDOM / watcher.settings.every))
        self._domains = {name: domain_of(server) for name, server in self._servers.items()}
        self._liveness = Liveness(
            watcher.vantage,
            self._domains,
            profile_of(watcher.settings),
            labels=labels_of(self._servers),
            memory=memory,
        )
        self._asked_at = 0.0  # time of the newest evidence from a peer about another server
        for (
            each
        ) in watcher.store.topology.evidence():  # evidence from syncs since the last round, and from other vantages
            if each.at <= watcher.clock.now():
                self._liveness.observe(each, each.at)
                self._asked_at = max(self._asked_at, each.at if each.observer in self._servers else 0.0)

    def knock(self) -> None:
        """Probe every server once, and newly silent ones again with a banner read.

        If peers were asked a moment ago, a silence may end in a verdict before they are asked again.
        """
        self._sentinels()
        known = set(self._liveness.suspects())
        every = list(self._servers.values())
        listen = {name for at, name in enumerate(self._servers) if self._listens(at, name)}
        recent = self._watcher.clock.now() - self._asked_at <= STALE * self._watcher.settings.every
        self._take(self._watcher.prober.probe(every, listen), judge=recent and not self._watcher.stop())
        self._watcher.watch(Progress("knocked", self._watcher.vantage, len(every)))
        silent = [self._servers[name] for name in self._liveness.suspects() if name not in known]
        if silent:
            self._take(self._watcher.prober.probe(silent, {server.name for server in silent}))

    def _listens(self, at: int, name: str) -> bool:
        """Return whether to read the banner: at the first probe, if something is wrong, and in rotation."""
        one = self._liveness.held(name)
        return one.state is not State.UP or self._is_its_turn(at)

    def _is_its_turn(self, at: int) -> bool:
        return at % self._seldom == self._turn % self._seldom

    def _sentinels(self) -> None:
        """Probe the sentinels, which answer as long as our own network is up."""
        places = [Server(name=each, address=each) for each in self._watcher.settings.sentinels]
        for each in self._watcher.prober.probe(places, frozenset()) if places else ():
            self._liveness.sentinel(each.target, answers=each.rung.shows_life)

    def ask(self, *, links: bool, rotation: bool) -> None:
        """Log in to servers that are due or serve as observers, and ask the observers."""
        pairs = self._pairs(links=links)
        due = set(self._due() if rotation else ())
        names = sorted({observer for observer, _ in pairs} | due)
        if not names:
            return
        self._watcher.watch(Progress("asks", self._watcher.vantage, len(names)))
        asked: dict[str, list[Server]] = {name: [] for name in names}
        for observer, target in pairs:
            asked[observer].append(self._servers[target])
        for name, found in fan_out(
            names,
            lambda name: self._ask(name, asked[name], login=name in due),
            self._watcher.parallel,
            self._watcher.stop,
        ):
            if isinstance(found, MultiAllError):
                continue  # no sample, so no evidence
            login, told, speaks = found
            self._take(login)
            if asked[name] and speaks is not None:
                self._liveness.asked(name, speaks=speaks)
            self._take(told)

    def _due(self) -> list[str]:
        """Return the servers to log in to in this round.

        These are servers in slow rotation; servers that are recovering or have trouble above TCP; servers that no probe
        reaches, because they are behind jump hosts; and servers whose sessions are to stay open.
        """
        memory, prober = self._liveness.memory().servers, self._watcher.prober
        well = [name for name in self._servers if memory[name].state is State.UP]
        cold = [name for name in well if prober.open_peer(self._servers[name]) is None]
        to_keep = prober.would_pool([self._servers[name] for name in cold])
        in_turn = {name for at, name in enumerate(self._servers) if self._is_its_turn(at)} & set(cold)
        return [
            name
            for name in self._servers
            if (memory[name].state is State.DOWN and memory[name].good)
            or (memory[name].state is State.DEGRADED and memory[name].depth >= ProbeLevel.TCP)
            or name in to_keep
            or (name not in self._sampled and memory[name].state is not State.UP)
            or name in in_turn
        ]

    def _pairs(self, *, links: bool) -> list[tuple[str, str]]:
        memory = self._liveness.memory().servers
        able = [name for name in self._servers if memory[name].state is State.UP]
        speaking = [name for name in able if name not in self._liveness.memory().mute]
        pairs = set(suspect_probes(self._liveness.suspects(), speaking or able, self._domains, self._turn))
        if links:
            each = len(able) if len(self._servers) <= MATRIX else NEIGHBOURS
            pairs |= set(probe_pairs(list(self._servers), able, each, self._turn))
        return sorted(pairs)

    def _ask(self, name: str, targets: Sequence[Server], *, login: bool) -> _Asked:
        """Return evidence of its login, its evidence about others, and whether it can be asked (None: unknown).

        A server with an open session is logged in to only if `login` is set.
        """
        prober, server = self._watcher.prober, self._servers[name]
        met: Sequence[Evidence] = ()
        observer = None if login else prober.open_peer(server)
        if observer is None:
            met, observer = prober.login(server)
        if observer is None:
            return met, (), None if met else False  # behind an unusable jump host, so it cannot be asked
        try:
            told = observer.reach(targets) if targets else ()
            return met, told or (), told is not None
        except MultiAllError:
            return met, (), None  # it went away meanwhile
        finally:
            observer.close()

    def _take(self, evidence: Iterable[Evidence], *, judge: bool = False) -> None:
        now = self._watcher.clock.now()
        for each in evidence:
            if each.lag <= LAG:
                self._evidence.append(each)
                self._sampled.add(each.target)
            self._liveness.observe(each, now)
        self._events += self._liveness.tick(now, judge=judge)

    def end(self, took: float) -> Round:
        """Save the changes of the round, and return it with the new picture."""
        watcher, now = self._watcher, self._watcher.clock.now()
        patience = STALE * watcher.settings.every
        self._liveness.pass_over(self._servers.keys() - self._sampled)
        self._events += self._liveness.tick(now, judge=not watcher.stop())
        after = pack(self._liveness.memory(), self._turn + 1)
        changed = {name: one for name, one in after.items() if one != self._kept.get(name)}
        watcher.store.topology.save_round(watcher.vantage, changed, self._evidence, self._events)
        topology = picture(
            watcher.vantage,
            self._liveness.verdicts(),
            _known(watcher.store, self._servers, watcher.vantage),
            watcher.promised(now),
            self._liveness.frozen,
            now,
            patience,
        )
        bound = profile_of(watcher.settings).window
        return Round(topology, tuple(self._events), len(self._evidence), took, bound)


def _known(store: Store, servers: Mapping[str, Server], vantage: str) -> list[Evidence]:
    """Return the newest evidence of each observer, of this round or before.

    Observers are servers of the inventory and vantages; targets are servers of the inventory.
    """
    there = {vantage, *servers, *store.topology.vantages()}
    return [each for each in store.topology.evidence() if each.observer in there and each.target in servers]


def recalled(
    vantage: str, store: Store, now: float, servers: Sequence[Server], promised: Iterable[Downtime], every: float
) -> Topology:
    """Return the picture as the last round left it, with downtimes set since. Asks no server.

    `every`: intended seconds between two rounds.
    """
    names = {server.name: server for server in servers}
    evidence = _known(store, names, vantage)
    memory, _ = recall(store.topology.servers(vantage), now)
    liveness = Liveness(vantage, {name: domain_of(each) for name, each in names.items()}, memory=memory)
    for each in evidence:
        liveness.observe(each, now)
    return picture(vantage, liveness.verdicts(), evidence, promised, memory.frozen, now, STALE * every)


def profile_of(settings: TopologySettings) -> Profile:
    return replace(
        Profile(),
        every=settings.every,
        window=settings.window,
        denials=settings.denials,
        quorum=settings.quorum,
    )
