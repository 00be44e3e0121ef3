"""Reads single values of validated site files: texts, positions, paths, secrets, times and windows."""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from os.path import expanduser, join, normpath

from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import Window
from multiall_cli.domain.values import Secret
from multiall_cli.planning.durations import parse_duration
from multiall_cli.planning.targets.ranges import NAME
from multiall_cli.planning.windows import fault_of

ReportError = Callable[[Origin, str, str], None]
"""Reports an error: position, problem, and what to do."""

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


def items(written: YamlValue | None) -> tuple[YamlValue, ...]:
    """Return the items of a list; none if it is missing."""
    return written.items if isinstance(written, YamlList) else ()


def texts_of(written: YamlValue | None) -> tuple[str, ...]:
    """Return the texts of a list's scalars; none if it is missing."""
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
            lasts=parse_duration(told["lasts"] or ""),
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


def seconds_in(text: str) -> float:
    """Return the seconds of `10s`, `500ms` or `10`, validated before."""
    return parse_duration(text if text[-1].isalpha() else f"{text}s")
