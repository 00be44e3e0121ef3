"""Declarations of a site: servers, pools, and the desired state of each pool's members."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.health import BaselineSettings, Waiver
from multiall_cli.domain.rule_source import NOWHERE, Example, Saying
from multiall_cli.domain.values import Amount, Secret
from multiall_cli.domain.zones import NameDeclaration, Zone


class Link(StrEnum):
    """How a session with a server is opened."""

    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Ssh:
    """Overrides of ~/.ssh/config; None: no override."""

    user: str | None = None
    port: int | None = None
    jump: str | None = None
    identity: str | None = None
    password: Secret | None = None


class BecomeMethod(StrEnum):
    NONE = "none"
    SUDO = "sudo"
    DOAS = "doas"
    SU = "su"


@dataclass(frozen=True, slots=True)
class Become:
    """Rights for the work on a member. A password goes over stdin only."""

    method: BecomeMethod = BecomeMethod.NONE
    user: str = "root"
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Recurring period in which servers are in `maintenance` or on `drain`.

    `at`: its begin in cron format, in the time zone `zone`; `lasts`: seconds.
    """

    at: str
    lasts: float
    zone: str
    because: str
    what: str = "maintenance"
    origin: Origin = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.lasts), 60)
        lasts = f"{minutes // 60} h {minutes % 60} min" if minutes else f"{seconds} s"
        return f"{self.what} at '{self.at}' ({self.zone}) for {lasts}: {self.because}"


@dataclass(frozen=True, slots=True)
class Server:
    """One machine. `where` maps a value's dotted name (`ssh.user`) to the place that gave it.

    `depends_on`: servers without which it is down (its hypervisor, its router); `rules`: its own settings of baseline
    rules, which override its pools'; `without`: rules that do not apply to it; `waivers`: rules that may fail;
    `public`: addresses at which clients reach it, if they differ from `address`.
    """

    name: str
    address: str
    link: Link = Link.SSH
    ssh: Ssh = Ssh()
    become: Become = Become()
    labels: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    rules: Mapping[str, Saying] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    public: tuple[str, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)
    where: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def __hash__(self) -> int:
        return hash(self.name)


ADMIN = Server(name="(admin)", address="localhost", link=Link.LOCAL)
"""The admin host itself, as the source of the site's folders."""


@dataclass(frozen=True, slots=True)
class After:
    """Handler: an action that runs once on a member after a change that it watches.

    `verb`: `reload`, `restart` (argument: a service) or `run` (arguments: an argv); `watch`: patterns of paths below
    the tree's root; empty: every path.
    """

    verb: str
    arguments: tuple[str, ...]
    watch: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb} {' '.join(self.arguments)}"


class Delete(StrEnum):
    """Entries that a sync deletes on a member: none, those of an earlier sync, or all that the source lacks."""

    NOTHING = "false"
    DEPLOYED = "deployed"
    EVERYTHING = "true"


@dataclass(frozen=True, slots=True)
class FilesDeclaration:
    """File tree of a pool's members, and its source.

    `source`: the absolute path of a folder on the admin host, or (`from_member`) a server's name; `owner`/`group`/modes
    None: modes as in the source, owners not compared; owner `source`: owner and group by name as in the source;
    `trash`: days; `entries`: how many a member's tree may have, 0: derived from the size of the source.
    """

    path: str
    source: str
    from_member: bool = False
    exclude: tuple[str, ...] = ()
    delete: Delete = Delete.NOTHING
    owner: str | None = None
    group: str | None = None
    file_mode: int | None = None
    dir_mode: int | None = None
    times: bool = False
    xattrs: bool = False
    trash: int = 7
    entries: int = 0
    after: tuple[After, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)
    where: Mapping[str, Origin] = field(default_factory=dict, compare=False)
    pools: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Gate:
    """Health gate: how often in a row a batch must be healthy before the next one; times in seconds.

    `every`: between two checks; `within`: time limit, after which the gate stays closed.
    """

    stable: int = 3
    every: float = 5.0
    within: float = 120.0


@dataclass(frozen=True, slots=True)
class Rollout:
    """Rollout of a pool: batch sizes in turn (the last one repeats), and how much failure ends it.

    `max_fail` None: no limit. Unreachable members count as failed. `gate` None: does not wait for health. `drain`:
    whether a batch is taken out of the pool's names before its change, and put back after its gate.
    """

    batch: tuple[Amount, ...] = (Amount(100, percent=True),)
    max_fail: Amount | None = None
    gate: Gate | None = None
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """Servers that should be the same, and in what.

    `baseline`: packs of rules; `rules`, `without`, `waivers`: as for a server; `quorum`: how many members must be
    healthy, otherwise the pool is critical, None: all; `names`: names that clients look up.
    """

    name: str
    members: tuple[str, ...]
    priority: int = 0
    files: tuple[FilesDeclaration, ...] = ()
    rollout: Rollout = Rollout()
    windows: tuple[Window, ...] = ()
    baseline: tuple[str, ...] = ()
    rules: Mapping[str, Saying] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    quorum: Amount | None = None
    names: tuple[NameDeclaration, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)
    where: Mapping[str, Origin] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All servers, pools and zones of a site, by name, in the order of the files."""

    servers: Mapping[str, Server]
    pools: Mapping[str, Pool]
    zones: Mapping[str, Zone] = field(default_factory=dict)

    def pools_of(self, server: str) -> tuple[Pool, ...]:
        return tuple(pool for pool in self.pools.values() if server in pool.members)


@dataclass(frozen=True, slots=True)
class TopologySettings:
    """Settings of the topology; times in seconds.

    `every`: intended interval of scans; `timeout`: of one probe; `window`: least silence before a server is down;
    `denials`: peers that must also fail to reach it (0: our own evidence is enough); `quorum`: the share of servers
    last up that must be reachable, otherwise our own network is suspect; `sentinels`: addresses that answer as long as
    our own network is up; `publish`: path of the published picture on members, None: not published; `ttl`: how long
    such a copy is valid.
    """

    every: float = 60.0
    timeout: float = 2.0
    window: float = 22.25
    denials: int = 3
    quorum: float = 0.5
    sentinels: tuple[str, ...] = ()
    publish: str | None = None
    ttl: float = 300.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings in multiall.yaml; times in seconds.

    `network`: the network namespace that sessions start from (Linux); None: that of this process. `ssh_config`: read in
    place of ~/.ssh/config and the machine's, as `ssh -F` does.
    """

    store: str | None = None
    parallel: int = 32
    connect_timeout: float = 10.0
    timeout: float = 60.0
    network: str | None = None
    ssh_config: str | None = None
    topology: TopologySettings = TopologySettings()
    baseline: BaselineSettings = field(default_factory=BaselineSettings)


@dataclass(frozen=True, slots=True)
class Site:
    """Folder with inventory/, rules/ and multiall.yaml, read and found valid."""

    root: str
    inventory: Inventory
    settings: Settings = Settings()
    guards: Mapping[str, "GuardLimit"] = field(default_factory=dict)
    packs: Mapping[str, Mapping[str, Saying]] = field(default_factory=dict)
    examples: Mapping[str, Mapping[str, Example]] = field(default_factory=dict)
    """pack → rule → its example."""


@dataclass(frozen=True, slots=True)
class GuardLimit:
    """Guard limit: a plan looks like an accident if it changes this share of at least so many items."""

    share: float
    at_least: int
