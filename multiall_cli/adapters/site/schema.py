"""Shapes of the site's files: inventory/*.yaml, rules/*.yaml and multiall.yaml.

A description completes the sentence `write …` of an error; editors show it too.
"""
# No union has both a list and a string with a pattern: msgspec (0.22) frees the pattern wrongly there, and the
# interpreter crashes at exit. Where both are allowed, `convert` checks the string against its pattern.

import re
from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

# No text may follow the match. `$` alone would allow a line end in Python; this means the same in an editor.
_END = r"(?![\s\S])"

Text = Annotated[str, Meta(min_length=1)] | int | float | bool
"""A word that YAML may read as a number or a boolean; its text is used as written."""


def matches(text: str, alias: object) -> bool:
    """Return whether a text is of this kind (`User`, `Mode`, ...)."""
    meta: Meta = get_args(alias)[1]
    return re.search(meta.pattern or "", text) is not None


def _word(pattern: str, description: str, *, secret: bool = False) -> Meta:
    """`secret`: a wrong value here may be a secret, and must not be printed."""
    return Meta(pattern=f"^(?:{pattern}){_END}", description=description, extra={"secret": True} if secret else None)


Pattern = Annotated[str, _word(r"\S|\S[^\r\n]*\S", "text on one line")]
Path = Annotated[str, _word(r"(?:/|~/)[^\r\n]*", "a path from / or ~/")]
Absolute = Annotated[str, _word(r"/[^\r\n]*[^\r\n/]", "a path from /")]
Place = Annotated[str, _word(r"(?:\./|\.\./|/|~/)[^\r\n]+", "a path from ./, ../, / or ~/; ./ is the site's folder")]
Source = Annotated[str, _word(r"[^\s-][^\r\n]*", "a folder of the site (./trees/www), or a member's name (web1)")]
_ID = (
    "[0-9]{1,9}|[0-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}"
    "|429496[0-6][0-9]{3}|4294967[01][0-9]{2}|42949672[0-8][0-9]|429496729[0-4]"
)
"""A user's or group's number: up to 4294967294, since the kernel reads the next one as `unchanged`."""
_LOGIN = r"(?:[A-Za-z0-9][A-Za-z0-9.-]{0,62}\\)?[A-Za-z_][A-Za-z0-9._-]{0,62}\$?(?:@[A-Za-z0-9][A-Za-z0-9.-]{0,252})?"
"""A user's or group's name, also of a directory's domain: `CORP\\x`, `x@corp.example`."""
User = Annotated[str, _word(f"{_LOGIN}|{_ID}", "a user's name or number")]
Owner = Annotated[
    str,
    _word(
        f"(?:{_LOGIN}|{_ID})(?::(?:{_LOGIN}|{_ID}))?",
        "user or user:group",
    ),
]
Mode = Annotated[str, _word("0?[0-7]{3,4}", "an octal mode such as '0644'")]
Service = Annotated[str, _word(r"[A-Za-z0-9_][A-Za-z0-9@._:-]{0,254}", "a service's name, such as nginx")]
_BRACKETED = r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\](?::[0-9]{1,5})?"
"""An IPv6 address, optionally with its interface and a port."""
Jump = Annotated[
    str,
    _word(
        rf"(?:{_LOGIN}@)?(?:[A-Za-z0-9_][A-Za-z0-9._:-]*|{_BRACKETED})"
        rf"(?:,(?:{_LOGIN}@)?(?:[A-Za-z0-9_][A-Za-z0-9._:-]*|{_BRACKETED}))*",
        "a server's name or [user@]address[:port]; several with commas",
    ),
]
Reference = Annotated[
    str,
    _word(
        r"\$\{(?:env|file|cmd):[^{}\r\n]+\}",
        "a reference: ${env:NAME}, ${file:PATH} or ${cmd:COMMAND}",
        secret=True,
    ),
]
Percent = Annotated[str, _word(r"(?:100|[1-9]?[0-9])%", "a share such as 30%")]
_MEMBERS = "a number of members, or a share such as 25%"
Members = Annotated[int, Meta(ge=1, le=1_000_000, description=_MEMBERS)]
Share = Annotated[str, _word(r"(?:100|[1-9][0-9]?)%", _MEMBERS)]
Sentinel = Annotated[str, _word(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}", "a host name or an IP address")]
ServerName = Annotated[str, _word(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", "a server's name")]
Span = Annotated[str, _word(r"(?:[1-9][0-9]{0,4}[smhdw])+", "a duration such as 30m, 2h or 1d12h")]
Zone = Annotated[str, _word(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", "a time zone such as Europe/Zurich or UTC")]
Cron = Annotated[str, _word(r"\S[^\r\n]*\S", "a time as in cron, such as '0 2 * * sun'")]
Moment = Annotated[str, _word(r"[0-9][^\r\n]*", "a time with its zone, such as 2026-12-31T18:00+01:00")]
RulePattern = Annotated[
    str, _word(r"[A-Za-z0-9_*][A-Za-z0-9._*:/~-]{0,252}", "a rule's name, or a pattern such as disk.*")
]
Days = Annotated[str, _word(r"[0-9]{1,4}d", "a number of days such as 7d")]
_TIME = "seconds, or a time such as 10s, 500ms or 1h30m"
Seconds = Annotated[str, _word(r"(?=.*[1-9])(?:[0-9]{1,6}(?:\.[0-9]{1,3})?(?:ms|s|m|h|d|w))+", _TIME)]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
Count = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1")]
Entries = Annotated[int, Meta(ge=1, le=30_000_000, description="a whole number from 1")]
FailCount = Annotated[int, Meta(ge=0, le=1_000_000, description="a whole number from 0")]
Positive = Annotated[float, Meta(gt=0, le=1_000_000, description=_TIME)]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000, description="a whole number")]
LabelKey = Annotated[str, _word(r"[A-Za-z_][A-Za-z0-9._-]{0,62}", "a label's name, such as rack")]
Label = Annotated[str, _word(r"[A-Za-z0-9_][A-Za-z0-9._:/@+%-]{0,252}", "a word without spaces, commas or brackets")]


DnsName = Annotated[str, _word(r"\S{1,253}", "a DNS name, such as example.net")]
NameServerText = Annotated[
    str, _word(r"[A-Za-z0-9_\[][A-Za-z0-9._:\[\]-]{0,260}", "a server's name or an IP address, perhaps with :port")
]
Keeper = Annotated[str, _word(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}", "a word of letters, digits, '.', '_' and '-'")]
ServiceName = Annotated[str, _word(r"_[A-Za-z0-9-]{1,30}\._(?:tcp|udp|sctp)", "a service such as _https._tcp")]
Weight = Annotated[int, Meta(ge=0, le=65535, description="a whole number from 0 to 65535")]


class SshShape(Struct, forbid_unknown_fields=True):
    """How to log in to a server; ~/.ssh/config applies to the rest."""

    user: User | int | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    jump: Jump | UnsetType = UNSET
    identity: Place | UnsetType = UNSET
    password: Reference | UnsetType = UNSET


class BecomeShape(Struct, forbid_unknown_fields=True):
    """How to get another user's privileges."""

    method: Literal["none", "sudo", "doas", "su"]
    user: User | int | UnsetType = UNSET
    password: Reference | UnsetType = UNSET


_KEYS = {"exempt": "except"}
"""Keys that are reserved words of Python."""

RuleShape = dict[str, str | int | float | bool | list[Text]]
"""A baseline rule, or an override of one; `planning/checks/` defines the keys of each check."""


class WaiverShape(Struct, forbid_unknown_fields=True):
    """Why a baseline rule may fail, and until when."""

    until: Moment
    because: Pattern


class WindowShape(Struct, forbid_unknown_fields=True):
    """A recurring time in which servers may be down."""

    at: Cron
    lasts: Span
    zone: Zone
    because: Pattern
    what: Literal["maintenance", "drain"] | UnsetType = UNSET


class ServerShape(Struct, forbid_unknown_fields=True, rename=_KEYS):
    """A server, or the servers of a range."""

    address: Text | UnsetType = UNSET
    transport: Literal["ssh", "local"] | UnsetType = UNSET
    ssh: SshShape | UnsetType | None = UNSET
    become: Literal["none", "sudo", "doas", "su"] | BecomeShape | UnsetType = UNSET
    labels: dict[LabelKey, Label | int | float | bool] | UnsetType | None = UNSET
    depends_on: list[ServerName] | UnsetType | None = UNSET
    windows: list[WindowShape] | UnsetType | None = UNSET
    rules: dict[str, RuleShape] | UnsetType | None = UNSET
    without: list[Text] | UnsetType | None = UNSET
    exempt: dict[RulePattern, WaiverShape] | UnsetType | None = UNSET
    public: (
        Annotated[str, Meta(description="an IP address, or a range of them")]
        | Annotated[list[Text], Meta(description="a list of these")]
        | UnsetType
    ) = UNSET


class ModeShape(Struct, forbid_unknown_fields=True):
    """Modes of the files and folders of a tree."""

    files: Mode | int | UnsetType = UNSET
    dirs: Mode | int | UnsetType = UNSET


class AfterShape(Struct, forbid_unknown_fields=True):
    """A handler: one of reload, restart and run, once on a member if something changed."""

    reload: Service | UnsetType = UNSET
    restart: Service | UnsetType = UNSET
    run: Annotated[list[Text], Meta(min_length=1, description="[program, argument, ...]")] | UnsetType = UNSET
    watch: list[Pattern] | UnsetType = UNSET


class FilesShape(Struct, forbid_unknown_fields=True):
    """A file tree that all members have."""

    path: Path
    source: Source
    exclude: list[Pattern] | UnsetType = UNSET
    delete: bool | Literal["deployed"] | UnsetType = UNSET
    owner: Owner | int | UnsetType = UNSET
    mode: ModeShape | UnsetType = UNSET
    times: bool | UnsetType = UNSET
    xattrs: bool | UnsetType = UNSET
    trash: Days | Literal[0] | UnsetType = UNSET
    entries: Entries | UnsetType = UNSET
    after: list[AfterShape] | UnsetType = UNSET


class GateShape(Struct, forbid_unknown_fields=True):
    """How often in a row a batch's members must be healthy before the next batch."""

    stable: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1")] | UnsetType = UNSET
    every: Positive | Seconds | UnsetType = UNSET
    within: Positive | Seconds | UnsetType = UNSET


class RolloutShape(Struct, forbid_unknown_fields=True):
    """How a pool is changed: its batches, and the failures that stop it."""

    batch: (
        Annotated[int, Meta(description="a number of members")]
        | Annotated[str, Meta(description="a share such as 25%")]
        | Annotated[list[Members | Share], Meta(description="a list of these")]
        | UnsetType
    ) = UNSET
    max_fail: FailCount | Percent | UnsetType = UNSET
    gate: GateShape | UnsetType | None = UNSET
    drain: bool | UnsetType = UNSET


class NameShape(Struct, forbid_unknown_fields=True):
    """A name that clients look up to reach the pool's members."""

    zone: DnsName
    name: DnsName | UnsetType = UNSET
    ttl: Positive | Seconds | UnsetType = UNSET
    members: (
        Annotated[str, Meta(description="a target expression such as web[1-3]")]
        | Annotated[list[Text], Meta(description="a list of these")]
        | UnsetType
    ) = UNSET
    types: list[Literal["A", "AAAA"]] | UnsetType = UNSET
    at_least: Members | Share | UnsetType = UNSET
    below_minimum: Literal["keep-last", "all", "empty", "fallback"] | UnsetType = UNSET
    fallback: list[Sentinel] | UnsetType = UNSET
    ptr: bool | UnsetType = UNSET
    service: ServiceName | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    weights: dict[ServerName, Weight] | UnsetType = UNSET
    cname: bool | UnsetType = UNSET
    inside: bool | UnsetType = UNSET


class TsigShape(Struct, forbid_unknown_fields=True):
    """The TSIG key of our messages to name servers."""

    name: DnsName
    secret: Reference
    algorithm: Literal["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"] | UnsetType = UNSET


class ZoneShape(Struct, forbid_unknown_fields=True):
    """A zone whose names follow the topology."""

    primary: NameServerText
    zone: DnsName | UnsetType = UNSET
    secondaries: list[NameServerText] | UnsetType | None = UNSET
    key: TsigShape | UnsetType | None = UNSET
    transfer_key: TsigShape | UnsetType | None = UNSET
    owner: Keeper | UnsetType = UNSET
    file: Absolute | UnsetType = UNSET
    fragment: Absolute | UnsetType = UNSET
    mirrors: list[NameServerText] | UnsetType | None = UNSET
    share: Percent | UnsetType = UNSET
    at_most: FailCount | UnsetType = UNSET
    interval: Positive | Seconds | UnsetType = UNSET
    within: Positive | Seconds | UnsetType = UNSET


class PoolShape(Struct, forbid_unknown_fields=True, rename=_KEYS):
    """Servers that are to be equal, and in what."""

    members: (
        Annotated[str, Meta(description="a target expression such as web[1-3]")]
        | Annotated[list[Text], Meta(description="a list of these")]
    )
    priority: Priority | UnsetType = UNSET
    files: list[FilesShape] | UnsetType | None = UNSET
    rollout: RolloutShape | UnsetType = UNSET
    windows: list[WindowShape] | UnsetType | None = UNSET
    baseline: list[Text] | UnsetType | None = UNSET
    rules: dict[str, RuleShape] | UnsetType | None = UNSET
    without: list[Text] | UnsetType | None = UNSET
    exempt: dict[RulePattern, WaiverShape] | UnsetType | None = UNSET
    quorum: Members | Share | UnsetType = UNSET
    dns: list[NameShape] | UnsetType | None = UNSET


class InventoryShape(Struct, forbid_unknown_fields=True):
    """One file of inventory/."""

    servers: dict[str, ServerShape | None] | UnsetType | None = UNSET
    pools: dict[str, PoolShape] | UnsetType | None = UNSET
    zones: dict[str, ZoneShape] | UnsetType | None = UNSET


class TopologyShape(Struct, forbid_unknown_fields=True):
    """When the topology confirms a failure."""

    every: Positive | Seconds | UnsetType = UNSET
    timeout: Positive | Seconds | UnsetType = UNSET
    confirm_after: Positive | Seconds | UnsetType = UNSET
    confirmations: Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")] | UnsetType = UNSET
    quorum: Percent | UnsetType = UNSET
    sentinels: list[Sentinel] | UnsetType | None = UNSET
    publish: Absolute | UnsetType = UNSET
    ttl: Positive | Seconds | UnsetType = UNSET


class BaselineShape(Struct, forbid_unknown_fields=True):
    """Settings for the health of all servers."""

    longest: Days | UnsetType = UNSET
    keep: Days | UnsetType = UNSET
    stale: Positive | Seconds | UnsetType = UNSET
    cool_down: Positive | Seconds | UnsetType = UNSET


class SettingsShape(Struct, forbid_unknown_fields=True):
    """multiall.yaml: settings for every run of this site."""

    store: Place | UnsetType = UNSET
    network: Place | UnsetType = UNSET
    ssh_config: Place | UnsetType = UNSET
    parallel: Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")] | UnsetType = UNSET
    connect_timeout: Positive | Seconds | UnsetType = UNSET
    timeout: Positive | Seconds | UnsetType = UNSET
    topology: TopologyShape | UnsetType | None = UNSET
    baseline: BaselineShape | UnsetType | None = UNSET


class GuardShape(Struct, forbid_unknown_fields=True):
    """The share of at least how many items from which a plan looks like an accident."""

    share: Percent | UnsetType = UNSET
    at_least: Count | UnsetType = UNSET


class GuardsShape(Struct, forbid_unknown_fields=True):
    """The guards by name."""

    deletions: GuardShape | UnsetType | None = UNSET
    changes: GuardShape | UnsetType | None = UNSET
    empties: GuardShape | UnsetType | None = UNSET


class RulesShape(Struct, forbid_unknown_fields=True):
    """rules/guards.yaml."""

    guards: GuardsShape | UnsetType | None = UNSET


class ExampleShape(Struct, forbid_unknown_fields=True):
    """An example for a rule of the pack."""

    good: RuleShape
    bad: RuleShape | list[RuleShape]


class PackShape(Struct, forbid_unknown_fields=True):
    """rules/NAME.yaml: a pack of baseline rules."""

    rules: dict[str, RuleShape] | UnsetType | None = UNSET
    tests: dict[str, ExampleShape] | UnsetType | None = UNSET
    commands: bool | UnsetType = UNSET
