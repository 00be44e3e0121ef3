"""Names that clients look up: what pools declare of them, and the zones that hold them."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.sayings import NOWHERE
from multiall_cli.domain.values import ONE, Amount, Secret

DNS_PORT = 53


class OnFloor(StrEnum):
    """What a name gives where fewer members than `at_least` can serve."""

    KEEP = "keep-last"
    """What it gives now: no one is taken out."""
    ALL = "all"
    """Those too of whom little is known; where these are too few as well, every member, whatever is known of it."""
    EMPTY = "empty"
    """Only who can serve, though that be no one."""
    SORRY = "fallback"
    """The addresses of `fallback:`."""


@dataclass(frozen=True, slots=True)
class NameDeclaration:
    """One name that a pool's members serve.

    `zone`: which of the inventory's; `domain`: the name of that, '' where it is the same; `name`: fully qualified, in
    lower case; `inside`: whether it gives members' `address` and not what is `public`; `members`: those whose addresses
    it gives, in this order; `ttl` in seconds; `types` of addresses; `ptr`: whether the addresses' own names point back;
    `service` (`_https._tcp`) and `port`: of an SRV record; `weights`: member → its weight there; `cname`: the name is
    an alias of the first member that can serve.
    """

    zone: str
    name: str
    members: tuple[str, ...] = ()
    ttl: int = 60
    types: tuple[str, ...] = ("A", "AAAA")
    at_least: Amount = ONE
    on_floor: OnFloor = OnFloor.KEEP
    sorry: tuple[str, ...] = ()
    ptr: bool = False
    service: str = ""
    port: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    cname: bool = False
    domain: str = ""
    inside: bool = False
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NameServer:
    """Who answers for a zone. `name`: a server of the inventory, or how its address was written."""

    name: str
    address: str
    port: int = DNS_PORT


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key. `algorithm`: as BIND calls it, such as hmac-sha256; `secret`: base64, as `rndc-confgen` writes it."""

    name: str
    algorithm: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone, who serves it, and how far one run may go.

    `name`: fully qualified, in lower case; `label`: what the site calls it, where that is not its name: then it is one
    view of several, and asked with its key; `owner`: stands in our markers, so that two sites can share a zone;
    `share`, `at_most`: of our names, how many may change in a run and in an hour (whichever is more); `interval`:
    seconds between a change of a name and the next one that adds to it; `within`: seconds in which every server must
    have a change; `file`: where it lies on the primary and its `mirrors`, who are primaries too ('': it takes updates);
    `fragment`: what that file includes, all of it ours; `transfer_key`: for transfers, where `key` may not.
    """

    name: str
    primary: NameServer
    secondaries: tuple[NameServer, ...] = ()
    key: Key | None = None
    owner: str = "multiall"
    share: float = 0.2
    at_most: int = 10
    interval: float = 10.0
    within: float = 10.0
    file: str = ""
    fragment: str = ""
    mirrors: tuple[NameServer, ...] = ()
    label: str = ""
    transfer_key: Key | None = None
    origin: Origin = field(default=NOWHERE, compare=False)

    @property
    def reading_key(self) -> Key | None:
        """The key that transfers are signed with."""
        return self.transfer_key or self.key

    @property
    def servers(self) -> tuple[NameServer, ...]:
        return (self.primary, *self.mirrors, *self.secondaries)

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.id.rstrip(".") or "."

    @property
    def id(self) -> str:
        """What the inventory knows it by: its name, or its label."""
        return self.label or self.name
