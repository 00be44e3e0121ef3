"""The Python API, and the one place where the ports are given their adapters. Every verb of the CLI is a method."""

import hashlib
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

from multiall_cli.adapters.clock import SystemClock
from multiall_cli.adapters.secrets import reveal
from multiall_cli.adapters.site.read import find_site, read_site
from multiall_cli.domain.answer import (
    Difference,
    Executed,
    Facts,
    Finding,
    MemberStatus,
    Offer,
    Pending,
    PoolStatus,
    RunDetails,
)
from multiall_cli.domain.baseline import CRITICAL, UNKNOWN, Checked, Code, Latest, Rule, is_stale
from multiall_cli.domain.change import Plan
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.discovery import Discovery
from multiall_cli.domain.errors import Fault, Locked, MemberFault, Refused, Unreachable, UsageError
from multiall_cli.domain.health import Health, RuleHistory, Waiver
from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Pool, Server, Site
from multiall_cli.domain.publication import LastPublished, Published, Verified
from multiall_cli.domain.remedy import Remedied, Remedies, Remedy
from multiall_cli.domain.run import Holder, MemberState, Report, Run, Step
from multiall_cli.domain.topology import REST, Downtime, Event, Planned, Round, State, Topology
from multiall_cli.drivers.become import sudoers
from multiall_cli.drivers.openssh import ssh_command
from multiall_cli.planning.assign import assign
from multiall_cli.planning.guard import NAMES
from multiall_cli.planning.merge import Explained, effective_files, explain
from multiall_cli.planning.nearest import did_you_mean
from multiall_cli.planning.targets import select, world_of
from multiall_cli.planning.whom import away, inherited, serving, through

if TYPE_CHECKING:
    from multiall_cli.adapters.nameservers import DnsServers
    from multiall_cli.adapters.network import Elsewhere
    from multiall_cli.adapters.passwords import Passwords
    from multiall_cli.adapters.signing import Seal
    from multiall_cli.adapters.ssh.prober import SshProber
    from multiall_cli.adapters.ssh.transport import SshTransport
    from multiall_cli.adapters.warm import WarmTransport
    from multiall_cli.domain.pool_plan import PoolPlan, PoolReport, PoolWish
    from multiall_cli.domain.records import Departure, Place, Served, Standing, ZoneReport, ZoneStatus
    from multiall_cli.domain.records import Explained as ExplainedName
    from multiall_cli.engine.execute import OnLine
    from multiall_cli.engine.probe import Watcher
    from multiall_cli.engine.recent import Recent
    from multiall_cli.engine.world import Assignment, World
    from multiall_cli.engine.zones import ZoneWish
    from multiall_cli.planning.learning import Learned
    from multiall_cli.planning.rules import RuleBook
    from multiall_cli.planning.trials import Trial
    from multiall_cli.planning.zones.proposals import Proposal
    from multiall_cli.ports.session import Session
    from multiall_cli.ports.store import Store
    from multiall_cli.ports.transport import Transport

RUNS_SHOWN = 20
VANTAGE = socket.gethostname()
"""Our own name as an observer."""
COPIES = "(cp)"  # what copies are journalled and locked as: no pool of an inventory can be called so
PUBLISHED_TO = (State.UP, State.DEGRADED, State.UNREACHABLE)
WARM = 256  # sessions that a watch keeps open
SCANS = "(topology)"  # what scans are locked as: two at once would forget what the other saw
PUBLICATIONS = "(publication)"  # what publications are locked as
SCAN_WAIT = 30.0  # seconds that a scan waits for another one
COPY_WAIT = 60.0  # seconds that a copy waits for another one
LEAST_ROOM = 64 << 20  # bytes free where the store is, before doctor says so


@dataclass(frozen=True, slots=True)
class Limits:
    """What the admin may say per call; None: as the site's settings say. Times in seconds."""

    parallel: int | None = None
    timeout: float | None = None


AS_SET = Limits()


@dataclass(slots=True)
class Fleet:
    """All of a site. Use it as a context manager, or `close` it.

    `watch` is told each step of a longer verb; `stop` answers whether no further member is to be begun; `warn` gets
    what the admin should know besides the result.
    """

    site: Site
    limits: Limits = AS_SET
    watch: Callable[[Step], None] = lambda step: None
    stop: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = lambda words: None
    _store: "Store | None" = field(default=None, repr=False)
    _transport: "Transport | None" = field(default=None, repr=False)
    _ssh: "SshTransport | None" = field(default=None, repr=False)
    _network: "Elsewhere | None" = field(default=None, repr=False)
    _prober: "SshProber | None" = field(default=None, repr=False)
    _lending: "WarmTransport | None" = field(default=None, repr=False)
    _warm: int = 0
    _clock_at: float = field(default=math.inf, repr=False)
    _recent: "Recent | None" = field(default=None, repr=False)
    book: "tuple[RuleBook, list[Fault]] | None" = field(default=None, repr=False)
    name_servers: "DnsServers | None" = field(default=None, repr=False)
    become_password: str | None = field(default=None, repr=False)
    """For all servers with a `become` that declare no password."""
    _passwords: "Passwords | None" = field(default=None, repr=False)
    _making: Lock = field(default_factory=Lock, repr=False)
    """Logins are made by many threads, and the first of them makes what they all need."""

    @classmethod
    def load(cls, site: str | None = None, limits: Limits = AS_SET) -> Self:
        """The site at a path, or the one that is found from here. Errors: UsageError, InputFaults."""
        return cls(read_site(find_site(site, os.environ, Path.cwd())), limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            if self._prober is not None:
                self._prober.close()
            if self._lending is not None:
                self._lending.close()
            if self._ssh is not None:
                self._ssh.close()
        finally:
            if self._store is not None:
                self._store.close()
            if self._network is not None:
                self._network.close()

    # --- the inventory ------------------------------------------------------------------------------------------

    @property
    def inventory(self) -> Inventory:
        return self.site.inventory

    def pool(self, name: str) -> Pool:
        """Errors: UsageError with the nearest known name."""
        known = self.inventory.pools
        if name not in known:
            todo = f"{did_you_mean(name, known)}`multiall pool list` shows all"
            raise UsageError(f"pool {name}", "there is no such pool", todo)
        return known[name]

    def server(self, name: str) -> Server:
        """Errors: UsageError with the nearest known name."""
        known = self.inventory.servers
        if name not in known:
            todo = f"{did_you_mean(name, known)}`multiall server list` shows all"
            raise UsageError(f"server {name}", "there is no such server", todo)
        return known[name]

    def select(self, target: str) -> tuple[Server, ...]:
        """The servers that a target expression means. Errors: UsageError where it means none."""
        special = self._left_behind() if "@failed" in target or "@deferred" in target else {}
        names = select(target, world_of(self.inventory, special=special))
        return tuple(self.inventory.servers[name] for name in names)

    def _left_behind(self) -> dict[str, tuple[str, ...]]:
        """Which members the last run of each pool left failed or deferred."""
        standings = [each for pool in self.inventory.pools for each in self.store.standings(pool)]
        return {
            word: tuple(dict.fromkeys(each.server for each in standings if each.state is state))
            for word, state in (("failed", MemberState.FAILED), ("deferred", MemberState.DEFERRED))
        }

    def explain(self, server: str) -> tuple[Explained, ...]:
        """Every effective value of a server, with the pool and the place that gave it. Errors: UsageError."""
        return explain(self.inventory, self.server(server).name)

    # --- what a pool is, and making it so -----------------------------------------------------------------------

    def plan(self, pool: str, only: str = "") -> Plan:
        """What a sync would change. Reads only. Errors: Refused, UsageError, Unreachable (a source)."""
        from multiall_cli.engine.look import look

        sight = look(*self._work(self.pool(pool), only))
        sight.close()
        return sight.plan

    def sync(
        self,
        pool: str,
        *,
        only: str = "",
        plan: str = "",
        forced: Sequence[str] = (),
        lock_wait: float = 0.0,
        confirm: Callable[[Plan], bool] = lambda plan: True,
        id_of: Callable[[Plan], str] = lambda plan: plan.id,
    ) -> Report:
        """Make the pool's files as declared. `only`: a target within it; `plan`: an id that must still hold; `forced`:
        guards that may be passed; `confirm` sees the plan and decides; `id_of`: as of a Wish. Errors: Locked, Refused,
        UsageError, Unreachable.
        """
        from multiall_cli.engine.sync import Wish, sync
        from multiall_cli.fleet import health, rollouts

        wish = Wish(
            plan=plan,
            forced=frozenset(forced),
            lock_wait=lock_wait,
            limits=self.site.guards,
            confirm=confirm,
            id_of=id_of,
            gate=lambda gate, servers: health.wait_for_health(self, gate, servers),
            drain=lambda servers: rollouts.drain(self, pool, servers),
            restore=lambda servers: rollouts.restore(self, pool, servers),
        )
        declared = self.pool(pool)
        world, _, assignments = self._work(declared, only)
        return sync(world, declared, assignments, wish)

    def pool_plan(self, pool: str, only: str = "") -> "PoolPlan":
        """What a sync would change of a pool's files and names, under one id. Reads only. Errors: as of `plan`."""
        from multiall_cli.fleet import pool_syncs

        return pool_syncs.plan(self, pool, only)

    def sync_pool(self, pool: str, wish: "PoolWish") -> "PoolReport":
        """Make a pool's files, then its names, as declared. Errors: as of `sync`."""
        from multiall_cli.fleet import pool_syncs

        return pool_syncs.sync(self, pool, wish)

    def diff(self, pool: str, only: str = "") -> tuple[Difference, ...]:
        """What a sync would change, as text. Reads only."""
        from multiall_cli.engine.compare import differences
        from multiall_cli.engine.look import look

        sight = look(*self._work(self.pool(pool), only))
        try:
            return differences(sight)
        finally:
            sight.close()

    def status(self, pool: str) -> PoolStatus:
        """What the store knows of a pool's members; no server is asked."""
        declared = self.pool(pool)
        standings = {each.server: each for each in self.store.standings(pool)}
        missed, pending, owed = self.store.outbox(pool), self.store.pending(pool), self.store.owed(pool)
        members = tuple(
            MemberStatus(
                name,
                standings.get(name),
                tuple(each for each in missed if each.server == name),
                sum(1 for each in pending if each.server == name),
                tuple(each for each in owed if each.server == name),
            )
            for name in declared.members
        )
        return PoolStatus(pool, members, next(iter(self.store.runs(1, pool)), None))

    def copy(self, source: str, target: str, path: str, *, confirm: Callable[[Plan], bool]) -> Report:
        """Copy a file or a folder of the admin host to a path on servers; nothing is deleted there."""
        from multiall_cli.engine.copying import outgoing
        from multiall_cli.engine.sync import Wish, sync

        servers = tuple(self._reachable(target))
        with outgoing(Path(source), path) as declared:
            pool = Pool(COPIES, tuple(server.name for server in servers))
            wish = Wish(verb="cp", catches_up=False, forced=frozenset(NAMES), lock_wait=COPY_WAIT, confirm=confirm)
            return sync(self.world, pool, [self._assignment(declared, servers, is_copy=True)], wish)

    def fetch(self, target: str, path: str, folder: str) -> tuple[Report, ...]:
        """Copy a file or a folder of servers to `folder`/SERVER on the admin host: a report per server."""
        return tuple(self._fetch(server, path, Path(folder)) for server in self._reachable(target))

    def _fetch(self, server: Server, path: str, folder: Path) -> Report:
        from multiall_cli.agents.files import FileTree
        from multiall_cli.domain.inventory import ADMIN
        from multiall_cli.engine.copying import incoming, not_fetched, of_server
        from multiall_cli.engine.sync import Wish, sync
        from multiall_cli.engine.world import Assignment

        declared, root = incoming(server.name, path, folder)
        if self.stop():
            return not_fetched(server.name, None)
        wish = Wish(verb="cp", catches_up=False, forced=frozenset(NAMES), lock_wait=COPY_WAIT)
        agent = FileTree(declared, server, root, self.store, is_copy=True)
        try:
            return of_server(
                server.name, sync(self.world, Pool(COPIES, (ADMIN.name,)), [Assignment(agent, (ADMIN,))], wish)
            )
        except Refused:
            gone = Refused(
                server.name, f"{path} is not there, or is empty", "copies take no patterns; look at the path"
            )
            return not_fetched(server.name, gone)
        except (Unreachable, MemberFault, Locked) as fault:  # one server's trouble is not the others'
            return not_fetched(server.name, fault)

    def _work(self, pool: Pool, only: str) -> "tuple[World, str, list[Assignment]]":
        """A pool's name and agents, and the world as the topology shows it: whom it holds to be away is not tried,
        and whom only a brother reaches is reached through that one. Errors: Refused, UsageError.
        """
        topology = self.topology()
        assignments = [
            replace(each, servers=tuple(through(each.servers, topology.relays)))
            for each in self._assignments(pool, only)
        ]
        world = replace(self.world, away=away(topology), relays=topology.relays)
        return world, pool.name, assignments

    def _assignments(self, pool: Pool, only: str) -> "list[Assignment]":
        """The agents of a pool's declarations with their members. Errors: Refused, UsageError."""
        chosen = frozenset(server.name for server in self.select(only)) if only else None
        holders = assign(self.inventory, pool, chosen, only)
        return [self._assignment(declared, servers) for declared, servers in holders.items()]

    def _assignment(
        self, declared: FilesDeclaration, servers: tuple[Server, ...], *, is_copy: bool = False
    ) -> "Assignment":
        from multiall_cli.agents.files import file_tree
        from multiall_cli.engine.sync import here
        from multiall_cli.engine.world import Assignment

        tree = file_tree(declared, self.inventory.servers, self.store, here(), is_copy=is_copy)
        return Assignment(tree, servers)

    # --- servers ------------------------------------------------------------------------------------------------

    def execute(
        self, target: str, argv: Sequence[str], *, stdin: bytes = b"", on_output: "OnLine | None" = None
    ) -> Iterator[Executed]:
        """Run a command on servers, results as they come."""
        from multiall_cli.engine.execute import execute

        return execute(self.world, self._reachable(target), argv, stdin, self.limits.timeout, on_output)

    def facts(self, target: str) -> Iterator[Facts]:
        from multiall_cli.engine.execute import facts

        return facts(self.world, self._reachable(target))

    def _reachable(self, target: str) -> list[Server]:
        """The servers of a target, each as it is reached now."""
        from multiall_cli.engine.remembered import recall

        servers = self.select(target)
        held = recall(self.store.remembered(VANTAGE), SystemClock().now())[0].servers
        cut_off = any(each.name in held and held[each.name].state is State.UNREACHABLE for each in servers)
        return through(servers, self.topology().relays if cut_off else {})

    def examine(self, target: str = "") -> Iterator[Finding]:
        """What is wrong with the connections to servers (all, where no target is named), and what mends it."""
        from multiall_cli.adapters.names import examine as examine_name
        from multiall_cli.engine.doctor import examine

        servers = self.select(target) if target else tuple(self.inventory.servers.values())
        nameless = {}
        trees = {each.name: [tree.path for tree in effective_files(self.inventory, each.name)[0]] for each in servers}
        for finding in examine(self.world, servers, trees):
            if finding.reason == "name" and finding.subject not in nameless:
                nameless[finding.subject] = examine_name(finding.subject, self.server(finding.subject).address)
                yield nameless[finding.subject] or finding
            else:
                yield finding

    def examine_site(self) -> Iterator[Finding]:
        """What is wrong on the admin host itself: the store, and who may read it."""
        from multiall_cli.adapters.trusted import faults_of
        from multiall_cli.domain.answer import Health
        from multiall_cli.fleet import ssh_config

        words = f"{len(self.inventory.servers)} servers, {len(self.inventory.pools)} pools, no faults in its files"
        yield Finding("site", Health.WELL, f"{self.site.root}: {words}")
        for pool in self.inventory.pools.values():
            for each in pool.files:
                if not each.from_member and not Path(each.source).is_dir():
                    what = f"the source of {each.path}, {each.source}, is no folder here"
                    yield Finding(f"pool {pool.name}", Health.ILL, what, f"make it, or mend `source:` at {each.origin}")
        yield from ssh_config.unheeded(self, tuple(self.inventory.servers.values()))
        self.store.runs(1)
        for fault in faults_of(sorted(Path(self.state_folder).glob("*.lock"))):
            yield Finding("store", Health.ILL, f"{fault.subject}: {fault.what}", fault.todo)
        free = os.statvfs(self.state_folder)
        room = free.f_bavail * free.f_frsize
        if room < LEAST_ROOM:
            yield Finding(
                "store",
                Health.ILL,
                f"{room >> 20} MiB are free at {self.state_folder}",
                "free some, or move it with `store:`",
            )
        else:
            yield Finding("store", Health.WELL, f"{self.state_folder}, {room >> 20} MiB free")

    def sudoers(self, target: str = "") -> tuple[str, ...]:
        """The sudoers lines that the servers' `become: sudo` needs, one per user."""
        servers = self.select(target) if target else tuple(self.inventory.servers.values())
        return sudoers(servers)

    def ssh_command(self, server: Server) -> list[str]:
        """The `ssh` client's argv for a login, with what the site says of the server."""
        from multiall_cli.fleet.ssh_config import login_options

        config, options = self.site.settings.ssh_config, login_options(self, server)
        return ssh_command(server, self.inventory.servers, str(self.known_hosts), config=config, options=options)

    def offer(self, server: str) -> Offer:
        """The host key that a server shows now, and how it stands to the known ones. Errors: Unreachable."""
        wanted = self.server(server)
        key = self._ssh_transport().offered(wanted)
        try:
            self._ssh_transport().open(wanted).close()
            known = "known"
        except Unreachable as fault:
            standing = {"host-key-unknown": "unknown", "host-key-changed": "changed", "auth": "known"}
            if fault.reason not in standing:
                raise
            known = standing[fault.reason]
        return Offer(server, key.name, key.kind, key.fingerprint, key.line, known)

    def trust(self, server: str, fingerprint: str, *, replace: bool = False) -> Path:
        """Pin the key that a server shows, if it has this fingerprint. Errors: Refused, Unreachable."""
        from multiall_cli.adapters.ssh.hostkeys import pin

        key = self._ssh_transport().offered(self.server(server))
        if key.fingerprint != fingerprint:
            what = f"it shows {key.fingerprint} now, not {fingerprint}"
            raise Refused(f"server {server}", what, f"`multiall server trust {server}` again, and ask its owner")
        pin(self.known_hosts, key, replace=replace)
        return self.known_hosts

    @property
    def known_hosts(self) -> Path:
        return Path(self.site.root) / "known_hosts"

    # --- the topology -------------------------------------------------------------------------------------------

    def scan(self, *, links: bool | None = None, logins: bool = True) -> Round:
        """Look at every server once, and remember what came of it. `links`: ask servers about each other too;
        `logins`: log in to those whose turn it is.
        """
        from multiall_cli.engine.sync import who

        me = Holder(who(), VANTAGE, os.getpid(), SystemClock().now(), "topology scan")
        try:
            with self.store.lock(SCANS, me, SCAN_WAIT):
                found = self._scan(links=links, logins=logins)
        except Locked as fault:
            words = "what it sees is in `multiall topology show`; or run again when it has ended"
            raise Locked("topology", fault.what, words) from None
        found = replace(found, topology=self._with_pools(found.topology))
        if self.site.settings.topology.publish is None:
            return found
        try:  # no scan has to wait until all members have taken it
            with self.store.lock(PUBLICATIONS, me, 0.0):
                return replace(found, published=self._publish(found, self.site.settings.topology.publish))
        except Locked:
            return found  # another one is at it; what it does not say is due at the next scan

    def _publish(self, found: Round, path: str) -> Published | None:
        """Give the members the picture, if that is due."""
        from multiall_cli.engine.publish import keep, publish, standing
        from multiall_cli.planning import publication

        settings, topology = self.site.settings.topology, found.topology
        if not publication.due(found, standing(self.store), path, settings.ttl):
            return None
        told = publication.snapshot(topology, settings.ttl)
        content = publication.written(told, self.seal.public, self.seal.sign(publication.canonical(told)))
        up = [each for name, each in self.inventory.servers.items() if topology.state_of(name) in PUBLISHED_TO]
        done = publish(self.world, through(up, topology.relays), path, content, self._opened)
        gone = tuple(name for name in self.inventory.servers if topology.state_of(name) not in REST)
        keep(self.store, LastPublished(topology.at, publication.said(topology, path, settings.ttl), gone))
        return done

    def _opened(self, server: Server) -> "Session":
        kept = self._prober.session(server) if self._prober is not None else None
        return kept or self.transport.open(server)

    def verify(self, file: Path) -> Verified:
        """Whether a published topology is of this site, and still holds. Errors: UsageError."""
        from multiall_cli.adapters.plain import read_plain
        from multiall_cli.adapters.signing import is_signed
        from multiall_cli.planning import publication

        try:
            told = publication.read(read_plain(file, publication.MOST))
        except OSError as fault:
            raise UsageError(str(file), f"it cannot be read: {fault.strerror}", "look at its path") from None
        if told is None:
            raise UsageError(str(file), "it is no published topology", "name the file of `topology.publish`")
        found, key, signature = told
        signed = is_signed(publication.canonical(found), key, signature)
        return publication.verified(found, ours=key == self.seal.public, signed=signed, now=SystemClock().now())

    @property
    def seal(self) -> "Seal":
        """The site's own key, which signs what it publishes."""
        from multiall_cli.adapters.signing import Seal

        _ = self.store  # makes the folder, for us alone
        return Seal(self.state_folder / "topology.key")

    def _scan(self, *, links: bool | None, logins: bool) -> Round:
        from multiall_cli.engine.probe import scan

        return scan(self._watcher, tuple(self.inventory.servers.values()), links=links, logins=logins)

    def _with_pools(self, topology: Topology) -> Topology:
        pools = self.inventory.pools
        topology = replace(topology, health=self._latest_health())
        return replace(topology, serving={name: serving(topology, pool.members) for name, pool in pools.items()})

    def _latest_health(self) -> dict[str, Latest]:
        """How each server of the inventory stood at its last look; what is too old is stale. Who was unfit then is so
        only by rules that there are still, and that no one has waived since.
        """
        now, stale = SystemClock().now(), self.site.settings.baseline.stale
        found = {
            name: replace(each, code=Code.STALE) if is_stale(each.at, now, stale) else each
            for name, each in self.store.latest_health().items()
            if name in self.inventory.servers
        }
        if unfit := [name for name, each in found.items() if each.code // 100 in (CRITICAL, UNKNOWN)]:
            from multiall_cli.fleet import health

            found |= {name: replace(found[name], code=code) for name, code in health.codes_now(self, unfit).items()}
        return found

    def topology(self) -> Topology:
        """The picture as the last scan left it, with what operators said since; no server is asked."""
        return self._with_pools(self.recalled)

    @property
    def recalled(self) -> Topology:
        """The picture without what follows for pools: enough to know whom no work is to try, and who is reached how."""
        from multiall_cli.engine.probe import recalled

        now = SystemClock().now()
        servers, every = tuple(self.inventory.servers.values()), self.site.settings.topology.every
        return recalled(VANTAGE, self.store, now, servers, self._promised(now), every)

    def keep_warm(self, most: int = WARM) -> None:
        """From now on, scans and checks leave open what they open: a sign of life over it is cheaper than a knock, its
        end is an instant hint, and the next check needs no login; of what did not change, neither side has to speak or
        to think again.
        """
        if self._prober is not None:
            self._prober.close()
        self._warm, self._prober = most, None

    def hinted(self) -> bool:
        """Whether something has happened since the last scan that makes the next one urgent."""
        return self._prober is not None and self._prober.hinted()

    def discover(self, target: str = "") -> Discovery:
        """Neighbours of servers (all, where no target is named) that the inventory does not have. Reads only."""
        from multiall_cli.adapters.local import addresses
        from multiall_cli.engine.discover import discover

        with self.network.entered() if self.network else nullcontext():
            ours = addresses()
        known, topology = self.inventory.servers, self.topology()
        asked = through(self.select(target) if target else known.values(), topology.relays)
        world = replace(self.world, away=away(topology))
        return discover(world, asked, known, ours, self._watcher.prober.knock)

    def events(self, limit: int, server: str | None = None, until: float | None = None) -> tuple[Event, ...]:
        """What changed, newest first; `server`: of it and of the whole."""
        return tuple(self.store.events(limit, self.server(server).name if server else None, until))

    def promise(self, target: str, what: Downtime, begins: float, ends: float, because: str) -> tuple[Planned, ...]:
        """Say of servers that they are drained, in maintenance or pinned, until a time. `begins` 0: from now on, also
        if the clock is set back. Errors: UsageError.
        """
        from multiall_cli.engine.sync import who

        now, me = SystemClock().now(), who()
        said = tuple(Planned(each.name, what, begins, ends, me, because, said=now) for each in self.select(target))
        for each in said:
            self.store.promise(each)
        return said

    def withdraw(self, target: str) -> tuple[Planned, ...]:
        """End what was said of servers; what that was."""
        now = SystemClock().now()
        return tuple(ended for server in self.select(target) for ended in self.store.withdraw(server.name, now))

    @property
    def _watcher(self) -> "Watcher":
        from multiall_cli.engine.probe import Watcher

        settings = self.site.settings.topology
        parallel = self.limits.parallel or self.site.settings.parallel
        return Watcher(
            VANTAGE,
            self._prober or self._made_prober(settings.timeout),
            self.store,
            SystemClock(),
            settings,
            self._promised,
            parallel,
            self.watch,
            self.stop,
        )

    def _made_prober(self, timeout: float) -> "SshProber":
        from multiall_cli.adapters.knock import Knocker
        from multiall_cli.adapters.ping import Pinger
        from multiall_cli.adapters.ssh import config
        from multiall_cli.adapters.ssh.prober import SshProber
        from multiall_cli.fleet.ssh_config import config_files

        network = self.network.entered if self.network else nullcontext
        door = (
            self._ssh_transport().door_of
            if config.leads_astray(config.read(config_files(self.site.settings)))
            else config.straight
        )
        self._prober = SshProber(
            VANTAGE,
            timeout,
            knocker=Knocker(VANTAGE, timeout, network=network),
            pinger=Pinger(timeout, network=network),
            door=door,
            connect=lambda server: self._ssh_transport().brother(server, door, timeout),
            keep=self._warm,
        )
        return self._prober

    def _promised(self, now: float) -> list[Planned]:
        """What operators and the inventory say of servers, and of what those hang on."""
        from multiall_cli.planning import windows

        return inherited([*self.store.promised(now), *windows.promised(self.inventory, now)], self.inventory.servers)

    # --- health -------------------------------------------------------------------------------------------------

    def check(self, target: str = "", *, drift: bool = False) -> Iterator[Checked]:
        """How servers (all, where no target is named) stand by their rules, as they answer. `drift`: also of what
        pools declare, by what a sync would change; else that is as it was seen last.
        """
        from multiall_cli.fleet import health

        return health.check(self, self._chosen(target), drift=drift)

    def remembered_health(self, target: str = "") -> tuple[Checked, ...]:
        """How servers stood when they were last looked at; none is asked."""
        from multiall_cli.fleet import health

        return health.remembered(self, self._chosen(target))

    def health_of(self, servers: Iterable[Checked]) -> Health:
        """What follows from how servers stand: for their pools, and which waivers end soon."""
        from multiall_cli.fleet import health

        return health.of(self, servers)

    def rules(self, server: str, rule: str = "") -> tuple[Rule, ...]:
        """The baseline rules of a server, or one of them. Errors: UsageError, InputFaults."""
        from multiall_cli.fleet import health

        return health.rules(self, server, rule)

    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers that hold, of the store and of the inventory."""
        from multiall_cli.fleet import health

        return tuple(health.waivers_now(self))

    def waive(self, rule: str, target: str, ends: float, because: str) -> Waiver:
        """Let a rule fail on servers until a time (seconds since the epoch). Errors: UsageError."""
        from multiall_cli.fleet import health

        return health.waive(self, rule, target, ends, because)

    def revoke(self, number: int) -> Waiver:
        """End a waiver. Errors: UsageError where there is none that holds."""
        from multiall_cli.fleet import health

        return health.revoke(self, number)

    def health_history(self, rule: str, target: str = "", since: float = 0.0) -> tuple[RuleHistory, ...]:
        """How a rule stood on each server since a time (seconds since the epoch). Errors: UsageError."""
        from multiall_cli.fleet import health

        return health.history(self, rule, target, since)

    def remedies(self, target: str = "") -> Remedies:
        """What may be done now about rules that fail, by a look at them; not what was done a short while ago."""
        from multiall_cli.fleet import health

        return health.remedies(self, self._chosen(target))

    def remedy(self, chosen: Sequence[Remedy]) -> tuple[Remedied, ...]:
        """Apply remedies one after the other, until one does not help. Errors: Locked."""
        from multiall_cli.fleet import health

        return health.apply_remedies(self, chosen)

    def learn(self, target: str) -> "Learned":
        """Rules of what most of some servers run and hold now. Reads only."""
        from multiall_cli.fleet import health

        return health.learn(self, self.select(target))

    def test_pack(self, pack: str = "") -> "tuple[Trial, ...]":
        """The rules of a pack (of all of the site's, where none is named) on their examples. Errors: UsageError."""
        from multiall_cli.fleet import health

        return tuple(health.test(self, pack))

    def lint(self) -> tuple[Fault, ...]:
        """What is odd about the site's rules, though it can be used."""
        from multiall_cli.fleet import health

        return tuple(health.lint(self))

    def _chosen(self, target: str) -> tuple[Server, ...]:
        return self.select(target) if target else tuple(self.inventory.servers.values())

    # --- zones --------------------------------------------------------------------------------------------------

    def zone_plans(self, zone: str = "") -> "tuple[ZoneReport, ...]":
        """What a sync would change in a zone (in all, where none is named). Reads only. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return tuple(zones.plan(self, zones.chosen(self, zone)))

    def sync_zones(self, zone: str, wish: "ZoneWish") -> "tuple[ZoneReport, ...]":
        """Make a zone (all, where none is named) as pools and topology want it. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return tuple(zones.sync(self, zones.chosen(self, zone), wish))

    def zone_status(self, zone: str = "") -> "tuple[ZoneStatus, ...]":
        """How each name server stands, as it answers. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return tuple(zones.status(self, zones.chosen(self, zone)))

    def zone_drift(self, zone: str = "") -> "tuple[tuple[ZoneReport, tuple[Served, ...]], ...]":
        """What is not as it was written, and who is behind. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return tuple(zones.drift(self, zones.chosen(self, zone)))

    def explain_name(self, name: str) -> "tuple[ExplainedName, ...]":
        """All that is known of a name. Errors: UsageError, Unreachable, MemberFault."""
        from multiall_cli.fleet import zones

        return zones.explain(self, name)

    def departures(self, target: str = "") -> "tuple[Departure, ...]":
        """What was taken out of zones, and clients may still hold; `target`: of these servers."""
        from multiall_cli.fleet import zones

        return tuple(zones.departures(self, target))

    def given_names(self, target: str = "") -> "tuple[tuple[Place, Standing], ...]":
        """The names that give servers now, and where those stand; `target`: these, else who is to be out. Reads only.
        Errors: UsageError, Unreachable, MemberFault.
        """
        from multiall_cli.fleet import zones

        return tuple(zones.given(self, target))

    def late_zones(self) -> tuple[str, ...]:
        """Zones of which a server may still give what was taken out: it had not the newest one at the last look."""
        from multiall_cli.fleet import zones

        return tuple(zones.late(self))

    def adopt_name(self, name: str, kind: str, wish: "ZoneWish", from_owner: str = "") -> "tuple[ZoneReport, ...]":
        """Take over records as they are; `kind` '': of all declared types; `from_owner`: only those that bear this
        owner's mark, with `name` '' of all declared names. Errors: UsageError.
        """
        from multiall_cli.fleet import zones

        return zones.adopt(self, name, kind, wish, from_owner)

    def import_zone(self, zone: str, file: Path | None = None) -> "tuple[Proposal, ...]":
        """Names of a zone, or of its file, that pools could declare. Errors: UsageError, Unreachable, MemberFault."""
        from multiall_cli.fleet import zones

        return zones.imported(self, zones.chosen(self, zone)[0], file)

    def zone_history(self, zone: str = "", limit: int = RUNS_SHOWN) -> "tuple[Run, ...]":
        """The runs that changed zones, the newest first. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return zones.history(self, zones.chosen(self, zone), limit)

    def roll_back(self, run: str, wish: "ZoneWish") -> "ZoneReport":
        """Undo what a run did to a zone. Errors: UsageError."""
        from multiall_cli.fleet import zones

        return zones.rollback(self, run, wish)

    def examine_zones(self, zone: str = "") -> "tuple[tuple[Finding, ...], dict[str, tuple[str, ...]]]":
        """What is wrong between us and the name servers, and what each one's named.conf needs. Errors: UsageError."""
        from multiall_cli.fleet import zones

        found = zones.chosen(self, zone)
        return tuple(zones.examine(self, found)), zones.needed(found)

    # --- the journal --------------------------------------------------------------------------------------------

    def runs(self, limit: int = RUNS_SHOWN, pool: str | None = None) -> tuple[Run, ...]:
        return tuple(self.store.runs(limit, pool))

    def run(self, run_id: str) -> RunDetails:
        """A run with all that it changed. Errors: UsageError."""
        run = self.store.run(run_id)
        if run is None:
            raise UsageError(f"run {run_id}", "there is no such run", "`multiall journal list` shows them")
        missed = [*self.store.outbox(run.pool), *self.store.outbox(run.pool, delivered=True)]
        return RunDetails(run, tuple(self.store.entries(run.id)), tuple(each for each in missed if each.run == run.id))

    def pending(self, pool: str | None = None) -> Pending:
        """What is still open, and what the next sync of each pool will settle."""
        pools = [pool] if pool else list(self.inventory.pools)
        owed = [each for name in pools for each in self.store.owed(name)]
        return Pending(tuple(self.store.pending(pool)), tuple(self.store.outbox(pool)), tuple(owed))

    # --- the adapters -------------------------------------------------------------------------------------------

    @property
    def store(self) -> "Store":
        """The site's store, opened when it is first needed."""
        if self._store is None:
            from multiall_cli.adapters.sqlite import SqliteStore

            self._store = SqliteStore(self.state_folder)
        now, before = SystemClock().now(), self._clock_at
        if now < before:  # at first, and whenever the clock was set back
            self._clock_at = now
            self._settle_clock(self._store, now)
        self._clock_at = now
        return self._store

    def _settle_clock(self, store: "Store", now: float) -> None:
        """Let times that lie ahead count as of now, and report them once."""
        from multiall_cli.planning.ahead import report

        leads, late = store.settle_clock(now)
        if leads:
            self.warn(report(leads))
        for each in late:
            begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(each.begins))
            what = f"its {each.what.value} was said under that clock, and begins at {begins}"
            self.warn(f"{each.server}: {what}; say it again if you meant another time")

    @property
    def state_folder(self) -> Path:
        """Where the site's store is: as `store:` says, else below $XDG_STATE_HOME by the site's path."""
        if self.site.settings.store:
            return Path(self.site.settings.store)
        root = os.path.realpath(self.site.root)
        site_id = f"{Path(root).name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "multiall" / site_id

    @property
    def transport(self) -> "Transport":
        if self._transport is None:
            from multiall_cli.adapters.links import LinkTransport
            from multiall_cli.adapters.local import LocalTransport

            local = LocalTransport(self._timeout, passwords=self._passwords_of_the_run())
            _ = self.network  # that it is not there is told once, not by every member
            self._transport = LinkTransport(self._ssh_transport, local)
        return self._transport

    def _passwords_of_the_run(self) -> "Passwords":
        from multiall_cli.adapters.passwords import Passwords

        if self._passwords is None:
            self._passwords = Passwords(reveal, self.become_password)
        return self._passwords

    def _ssh_transport(self) -> "SshTransport":
        with self._making:
            return self._ssh or self._made_ssh_transport()

    def _made_ssh_transport(self) -> "SshTransport":
        from multiall_cli.adapters.ssh.transport import SshTransport
        from multiall_cli.fleet.ssh_config import config_files

        self._ssh = SshTransport(
            connect_timeout=self.site.settings.connect_timeout,
            timeout=self._timeout,
            known_hosts=[self.known_hosts],
            servers=self.inventory.servers,
            cache=self.store,
            reveal=reveal,
            config_files=config_files(self.site.settings),
            network=self.network.entered if self.network else nullcontext,
            passwords=self._passwords_of_the_run(),
        )
        return self._ssh

    @property
    def network(self) -> "Elsewhere | None":
        """The network that sessions start from, where `network:` names one. Errors: MultiAllError."""
        if self._network is None and self.site.settings.network:
            from multiall_cli.adapters.network import Elsewhere

            self._network = Elsewhere(self.site.settings.network)
        return self._network

    @property
    def _timeout(self) -> float:
        return self.limits.timeout or self.site.settings.timeout

    @property
    def reading_world(self) -> "World":
        """For who changes nothing: over sessions that stay open, where they are to."""
        if not self._warm:
            return self.world
        if self._lending is None:
            from multiall_cli.adapters.warm import WarmTransport

            self._lending = WarmTransport(self.transport, self._warm)
        return replace(self.world, transport=self._lending)

    @property
    def recent(self) -> "Recent | None":
        """What checks keep from one to the next, where sessions stay open."""
        if self._warm and self._recent is None:
            from multiall_cli.engine.recent import Recent

            self._recent = Recent()
        return self._recent

    @property
    def world(self) -> "World":
        from multiall_cli.engine.world import World

        parallel = self.limits.parallel or self.site.settings.parallel
        return World(
            self.transport,
            self.store,
            SystemClock(),
            parallel,
            self.watch,
            self.stop,
            VANTAGE,
            silence=self._timeout,
        )


def to_yaml(value: object, *, ascii_only: bool = False) -> str:
    """A plain value as YAML, in its own order."""
    from multiall_cli.adapters.site.dump import dump

    return dump(value, ascii_only=ascii_only)


def make_site(folder: Path) -> list[Path]:
    """Begin a site; what was written. Errors: UsageError where there is one already."""
    from multiall_cli.adapters.site.init import create_site

    config = Path.home() / ".ssh" / "config"
    return create_site(folder, config if config.is_file() else None)


def schemas() -> dict[str, str]:
    """The JSON Schemas of a site's files, by name."""
    from multiall_cli.adapters.site.schema import schemas as generate

    return generate()


def imported(kind: str, file: Path) -> tuple[str, tuple[str, ...]]:
    """Another tool's inventory as the text of ours, and what was left out, each with its place. Errors: UsageError."""
    from multiall_cli.adapters.site import imports

    take = {"ssh-config": imports.import_ssh_config, "ansible": imports.import_ansible}[kind]
    found = take(file)
    return imports.render(found, f"imported from {file}"), tuple(str(each) for each in found.dropped)
