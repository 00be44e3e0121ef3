"""Converts validated site files to domain values: servers."""

from ipaddress import ip_address

from multiall_cli.adapters.site import schema as shapes
from multiall_cli.adapters.site.convert import (
    ReportError,
    is_address,
    origin_of,
    origins,
    resolve_path,
    secret,
    text_of,
    texts_of,
    value_at,
    windows_of,
)
from multiall_cli.adapters.site.positions import YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.errors import Fault, Origin, UsageError
from multiall_cli.domain.inventory import Become, BecomeMethod, Link, Server, Ssh
from multiall_cli.planning.targets.ranges import expand, is_name, shown
from multiall_cli.planning.targets.selection import STATE
from multiall_cli.planning.zones.names import is_ip

MOST_SERVERS = 100_000
"""Most servers of a site; a range makes many of them with few letters."""

_NAMES = "names have letters, digits, '.', '_' and '-', and begin with a letter, a digit or '_'"


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
    depends_on, windows = texts_of(value_at(entry, "depends_on")), windows_of(entry, report)
    public = _public(names, entry, report)
    link = Link(text_of(entry, "transport") or "ssh")
    where = dict(origins(entry))
    return [
        Server(name, address, link, ssh, become, labels, depends_on, windows, public=own, origin=place, where=where)
        for name, address, own in zip(names, addresses, public, strict=True)
    ]


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
    texts = [written.text] if isinstance(written, YamlScalar) else texts_of(written)
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
