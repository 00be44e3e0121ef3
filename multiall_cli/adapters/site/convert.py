"""Converts validated site files to domain values: servers, settings and guards."""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from os.path import expanduser, join, normpath

from msgspec import UNSET, UnsetType

from multiall_cli.adapters.site import schema as shapes
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.errors import Fault, Origin, UsageError
from multiall_cli.domain.health import DAY, BaselineSettings
from multiall_cli.domain.inventory import (
    Become,
    BecomeMethod,
    GuardLimit,
    Link,
    Server,
    Settings,
    Ssh,
    TopologySettings,
    Window,
)
from multiall_cli.domain.values import Secret
from multiall_cli.planning.moments import span
from multiall_cli.planning.targets.ranges import NAME, expand, is_name, shown
from multiall_cli.planning.targets.selection import STATE
from multiall_cli.planning.windows import fault_of
from multiall_cli.planning.zones.names import is_ip

ReportError = Callable[[Origin, str, str], None]
"""Reports an error: position, problem, and what to do."""

MOST_SERVERS = 100_000
"""Most servers of a site; a range makes many of them with few letters."""

_NAMES = "names have letters, digits, '.', '_' and '-', and begin with a letter, a digit or '_'"
_SCOPED = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,32})?")


def value_at(written: YamlValue | None, *keys: str) -> YamlValue | None:
    """Return the value below these keys, None if one is missing."""
    for key in keys:
        written = written.entries.get(key) if isinstance(written, YamlMapping) else None
    return written


def text_of(written: YamlValue | None, *keys: str) -> str | None:
    """Return a scalar's text as written, so that `user: 007` and `mode: 0644` keep their zeros."""
    found = value_at(written, *keys)
    return found.text if isinstance(found, YamlScalar) else None


def origin_of(written: YamlValue, *keys: str) -> Origin:
    """Return the position of a value, or of the innermost mapping that could contain it."""
    for key in keys:
        inner = value_at(written, key)
        if inner is None:
            break
        written = inner
    return written.origin


def origins(table: YamlValue | None, prefix: str = "") -> Iterator[tuple[str, Origin]]:
    """Yield every value's dotted key and position: `ssh`, `ssh.user`, ..."""
    if isinstance(table, YamlMapping):
        for key, value in table.entries.items():
            yield prefix + key, value.origin
            yield from origins(value, f"{prefix}{key}.")


def resolve_path(path: str, root: str) -> str:
    """Return an absolute path; `./` starts at the site's folder, `~/` at the admin's home."""
    # Links are not resolved: the path stays as the admin wrote it.
    return normpath(join(root, expanduser(path)))


def secret(reference: str, root: str) -> Secret:
    """Parse `${env:X}`, `${file:…}` or `${cmd:…}`, validated before."""
    kind, _, name = reference[2:-1].partition(":")
    return Secret(kind, resolve_path(name, root) if kind == "file" else name)


def is_address(text: str) -> bool:
    """Return whether this may be a host name or an IP address; never an option or a command."""
    if NAME.fullmatch(text):
        return True
    if not _SCOPED.fullmatch(text):
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def servers_of(pattern: str, written: YamlMapping, root: str, faults: list[Fault], left: int) -> list[Server]:
    """Return the servers of one entry of `servers:`, which may be a range; at most `left` of them."""
    place = written.keys[pattern]

    def report(origin: Origin, what: str, todo: str) -> None:
        faults.append(Fault(origin, what, todo))

    try:
        names = expand(pattern)
    except UsageError as error:
        report(place, error.what, error.todo)
        return []
    if len(names) > left:
        report(place, f"makes more than {MOST_SERVERS:,} servers in all", "write a smaller range, or split the site")
        return []
    for name in names:
        if not is_name(name):
            report(place, f"{shown(name)} is not a valid server name", _NAMES)
            return []
    entry = written.entries[pattern]
    addresses = _addresses(names, entry, report)
    ssh, become, labels = _ssh(entry, root, report), _become(entry, root, report), _labels(entry, report)
    depends_on, windows = _texts(value_at(entry, "depends_on")), windows_of(entry, report)
    public = _public(names, entry, report)
    link = Link(text_of(entry, "transport") or "ssh")
    where = dict(origins(entry))
    return [
        Server(name, address, link, ssh, become, labels, depends_on, windows, public=own, origin=place, where=where)
        for name, address, own in zip(names, addresses, public, strict=True)
    ]


def items(written: YamlValue | None) -> tuple[YamlValue, ...]:
    """Return the items of a list; none if it is missing."""
    return written.items if isinstance(written, YamlList) else ()


def _texts(written: YamlValue | None) -> tuple[str, ...]:
    return tuple(item.text for item in items(written) if isinstance(item, YamlScalar))


def windows_of(entry: YamlValue, report: ReportError) -> tuple[Window, ...]:
    """Return the `windows:` of a server or a pool; invalid ones are reported and left out."""
    found = []
    for item in items(value_at(entry, "windows")):
        told = {key: text_of(item, key) for key in ("at", "lasts", "zone", "because")}
        if any(value is None for value in told.values()):
            continue  # reported by the validation
        window = Window(
            at=told["at"] or "",
            lasts=span(told["lasts"] or ""),
            zone=told["zone"] or "",
            because=told["because"] or "",
            what=text_of(item, "what") or "maintenance",
            origin=item.origin,
        )
        fault = fault_of(window)
        if fault is None:
            found.append(window)
        else:
            report(origin_of(item, fault[0]), fault[1], fault[2])
    return tuple(found)


def _addresses(names: tuple[str, ...], entry: YamlValue, report: ReportError) -> tuple[str, ...]:
    text = text_of(entry, "address")
    if text is None:
        return names
    origin = origin_of(entry, "address")
    try:
        addresses = expand(text)
    except UsageError as error:
        report(origin, error.what, error.todo)
        return names
    if len(addresses) != len(names):
        what = f"{shown(text)} is {_count(len(addresses), 'address')} for {_count(len(names), 'server')}"
        report(origin, what, "write a range of as many addresses as names")
        return names
    for address in addresses:
        if not is_address(address):
            report(origin, f"{shown(address)} is not an address", "write a host name or an IP address")
            return names
    return addresses


def _public(names: tuple[str, ...], entry: YamlValue, report: ReportError) -> list[tuple[str, ...]]:
    """Return the addresses at which clients reach each server: one of each range."""
    written = value_at(entry, "public")
    texts = [written.text] if isinstance(written, YamlScalar) else _texts(written)
    columns: list[tuple[str, ...]] = []
    for text in texts:
        try:
            found = expand(text)
        except UsageError as error:
            report(origin_of(entry, "public"), error.what, error.todo)
            continue
        wrong = next((each for each in found if not is_ip(each)), None)
        if wrong is not None:
            report(
                origin_of(entry, "public"), f"{shown(wrong)} is not an IP address", "write the address that clients use"
            )
        elif len(found) != len(names):
            what = f"{shown(text)} is {_count(len(found), 'address')} for {_count(len(names), 'server')}"
            report(origin_of(entry, "public"), what, "write a range of as many addresses as names")
        else:
            columns.append(tuple(str(ip_address(each)) for each in found))
    return [tuple(column[at] for column in columns) for at in range(len(names))]


def _count(number: int, word: str) -> str:
    plural = word + ("es" if word.endswith("s") else "s")
    return f"{number} {word if number == 1 else plural}"


def _user(entry: YamlValue, report: ReportError, *keys: str) -> str | None:
    user = text_of(entry, *keys)
    if user is not None and not shapes.matches(user, shapes.User):
        report(origin_of(entry, *keys), f"'user' is {shown(user)}", "write a user's name or number")
        return None
    return user


def _ssh(entry: YamlValue, root: str, report: ReportError) -> Ssh:
    if value_at(entry, "ssh") is None:
        return Ssh()
    port = value_at(entry, "ssh", "port")
    identity = text_of(entry, "ssh", "identity")
    password = text_of(entry, "ssh", "password")
    return Ssh(
        user=_user(entry, report, "ssh", "user"),
        port=port.value if isinstance(port, YamlScalar) and isinstance(port.value, int) else None,
        jump=text_of(entry, "ssh", "jump"),
        identity=resolve_path(identity, root) if identity else None,
        password=secret(password, root) if password else None,
    )


def _become(entry: YamlValue, root: str, report: ReportError) -> Become:
    if value_at(entry, "become") is None:
        return Become()
    method = text_of(entry, "become") or text_of(entry, "become", "method") or "none"
    password = text_of(entry, "become", "password")
    return Become(
        BecomeMethod(method),
        _user(entry, report, "become", "user") or "root",
        secret(password, root) if password else None,
    )


def _labels(entry: YamlValue, report: ReportError) -> dict[str, str]:
    table = value_at(entry, "labels")
    labels: dict[str, str] = {}
    for key, value in table.entries.items() if isinstance(table, YamlMapping) else ():
        text = text_of(value) or ""
        if key == STATE:
            report(
                value.origin,
                f"{STATE!r} is not allowed as a label",
                "choose another name: state=up selects by reachability",
            )
        elif not shapes.matches(text, shapes.Label):
            report(value.origin, f"{shown(key)} is {shown(text)}", "write a word that begins with a letter or digit")
        else:
            labels[key] = text
    return labels


def settings_of(shape: shapes.SettingsShape, root: str) -> Settings:
    """Return the settings of multiall.yaml, with defaults for missing ones."""
    default = Settings()
    return Settings(
        store=resolve_path(shape.store, root) if isinstance(shape.store, str) else default.store,
        network=resolve_path(shape.network, root) if isinstance(shape.network, str) else default.network,
        ssh_config=resolve_path(shape.ssh_config, root) if isinstance(shape.ssh_config, str) else default.ssh_config,
        parallel=shape.parallel if isinstance(shape.parallel, int) else default.parallel,
        connect_timeout=_seconds(shape.connect_timeout, default.connect_timeout),
        timeout=_seconds(shape.timeout, default.timeout),
        topology=_topology(shape.topology),
        baseline=_baseline(shape.baseline),
    )


def _baseline(shape: shapes.BaselineShape | UnsetType | None) -> BaselineSettings:
    default = BaselineSettings()
    if not isinstance(shape, shapes.BaselineShape):
        return default
    return BaselineSettings(
        _days(shape.longest, default.longest),
        _days(shape.keep, default.keep),
        _seconds(shape.stale, default.stale),
        _seconds(shape.cool_down, default.cool_down),
    )


def _days(value: str | UnsetType, default: float) -> float:
    return int(value.rstrip("d")) * DAY if isinstance(value, str) else default


def _topology(shape: shapes.TopologyShape | UnsetType | None) -> TopologySettings:
    default = TopologySettings()
    if not isinstance(shape, shapes.TopologyShape):
        return default
    return TopologySettings(
        every=_seconds(shape.every, default.every),
        timeout=_seconds(shape.timeout, default.timeout),
        window=_seconds(shape.confirm_after, default.window),
        denials=default.denials if isinstance(shape.confirmations, UnsetType) else shape.confirmations,
        quorum=int(shape.quorum.rstrip("%")) / 100 if isinstance(shape.quorum, str) else default.quorum,
        sentinels=tuple(shape.sentinels or ()) if isinstance(shape.sentinels, list) else default.sentinels,
        publish=shape.publish if isinstance(shape.publish, str) else None,
        ttl=_seconds(shape.ttl, default.ttl),
    )


def guards_of(shape: shapes.RulesShape, defaults: dict[str, GuardLimit]) -> dict[str, GuardLimit]:
    """Return the guards' limits: those of a file, else the defaults."""
    limits = dict(defaults)
    if not isinstance(shape.guards, shapes.GuardsShape):
        return limits
    for name in shape.guards.__struct_fields__:
        guard = getattr(shape.guards, name)
        if isinstance(guard, shapes.GuardShape):
            before = limits.get(name, GuardLimit(share=1.0, at_least=1))
            share = before.share if guard.share is UNSET else int(guard.share.rstrip("%")) / 100
            limits[name] = GuardLimit(share, before.at_least if guard.at_least is UNSET else guard.at_least)
    return limits


def _seconds(value: float | str | UnsetType, default: float) -> float:
    if isinstance(value, str):
        return seconds_in(value)
    return default if isinstance(value, UnsetType) else float(value)


def seconds_in(text: str) -> float:
    """Return the seconds of `10s`, `500ms` or `10`, validated before."""
    return span(text if text[-1].isalpha() else f"{text}s")
