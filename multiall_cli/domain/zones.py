"""Names that clients look up: their declarations in pools, and their zones."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.rule_source import NOWHERE
from multiall_cli.domain.values import ONE, Amount, Secret

DNS_PORT = 53


class BelowMinimum(StrEnum):
    """Records of a name when fewer members than `at_least` can serve."""

    KEEP = "keep-last"
    """The present records: no member is taken out."""
    ALL = "all"
    """Also members in an uncertain state; if these are too few as well, every member in any state."""
    EMPTY = "empty"
    """Only members that can serve, even if there are none."""
    SORRY = "fallback"
    """The addresses of `fallback:`."""


@dataclass(frozen=True, slots=True)
class NameDeclaration:
    """One name that a pool's members serve.

    `zone`: its zone's id in the inventory; `domain`: that zone's name, '' if it is the same; `name`: fully qualified,
    in lower case; `inside`: whether it gives members' `address` instead of their `public` addresses; `members`: the
    members whose addresses it gives, in this order; `ttl`: seconds; `types`: of addresses; `ptr`: whether the
    addresses' PTR records point back; `service` (`_https._tcp`) and `port`: of an SRV record; `weights`: member → its
    weight there; `cname`: the name is an alias of the first member that can serve.
    """

    zone: str
    name: str
    members: tuple[str, ...] = ()
    ttl: int = 60
    types: tuple[str, ...] = ("A", "AAAA")
    at_least: Amount = ONE
    on_floor: BelowMinimum = BelowMinimum.KEEP
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
    """Name server of a zone. `name`: a server of the inventory, or its address as written."""

    name: str
    address: str
    port: int = DNS_PORT


@dataclass(frozen=True, slots=True)
class Key:
    """TSIG key.

    `algorithm`: BIND's name for it, for example hmac-sha256; `secret`: base64, as `rndc-confgen` writes it.
    """

    name: str
    algorithm: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class Zone:
    """Zone, its servers, and its limits for one run.

    `name`: fully qualified, in lower case; `label`: the site's id for it, if it is not its name: then it is one view of
    several, and asked with its key; `owner`: part of our markers, so that two sites can share a zone; `share`,
    `at_most`: how many of our names may change in a run and in an hour (whichever is more); `interval`: seconds between
    a change of a name and the next one that adds to it; `within`: seconds in which every server must have a change;
    `file`: its path on the primary and its `mirrors`, which are primaries too ('': it takes updates); `fragment`: the
    file that it includes, all of it ours; `transfer_key`: for transfers, if `key` is not allowed.
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
        """Return the key that signs transfers."""
        return self.transfer_key or self.key

    @property
    def servers(self) -> tuple[NameServer, ...]:
        return (self.primary, *self.mirrors, *self.secondaries)

    @property
    def shown(self) -> str:
        """Return the name for people."""
        return self.id.rstrip(".") or "."

    @property
    def id(self) -> str:
        """Return the id in the inventory: its name, or its label."""
        return self.label or self.name
