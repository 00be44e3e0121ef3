"""Finds and reads a site: all errors of all files are reported in one run."""

import gc
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from multiall_cli.adapters.site.convert import origin_of, value_at
from multiall_cli.adapters.site.members import UnresolvedPool, resolve_members
from multiall_cli.adapters.site.pool_names import names_in
from multiall_cli.adapters.site.pools import pool_of
from multiall_cli.adapters.site.positions import YamlMapping, YamlValue, parse_yaml
from multiall_cli.adapters.site.rules import check_commands, check_rules, examples, names, rule_sources, waivers
from multiall_cli.adapters.site.schema import InventoryShape, PackShape, RulesShape, SettingsShape
from multiall_cli.adapters.site.servers import MOST_SERVERS, servers_of
from multiall_cli.adapters.site.settings import guards_of, settings_of
from multiall_cli.adapters.site.validate import validate
from multiall_cli.adapters.site.zones import zone_id, zone_in
from multiall_cli.domain.errors import Fault, InputFaults, Origin, UsageError
from multiall_cli.domain.inventory import GuardLimit, Inventory, Server, Settings, Site, TopologySettings
from multiall_cli.domain.rule_source import Example, Saying
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.whom import circle_of

LIMIT = 32 << 20
"""Bytes per file."""

SETTINGS = "multiall.yaml"
RULES = "rules"
GUARDS = f"{RULES}/guards.yaml"
INVENTORY = "inventory"
_SYSTEM = Path("/etc/multiall")

Shape = TypeVar("Shape")


def find_site(argument: str | None, environment: Mapping[str, str], folder: Path, system: Path = _SYSTEM) -> Path:
    """Return the site's folder: the argument, MULTIALL_SITE, `folder` and its parents, the user's, the system's.

    Raises UsageError if there is none.
    """
    asked = argument or environment.get("MULTIALL_SITE")
    if asked:
        root = (folder / os.path.expanduser(asked)).absolute()
        if not is_site(root):
            what = f"{shown(asked)} has neither {INVENTORY}/ nor {SETTINGS}"
            raise UsageError("site", what, f"`multiall init {asked}` makes one")
        return root
    home = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    folder = folder.absolute()
    for candidate in (folder, *folder.parents, Path(home) / "multiall", system):
        if is_site(candidate):
            return candidate
    raise UsageError("site", f"none in {folder} or above it", "`multiall init DIR` makes one, `--site DIR` names one")


def is_site(folder: Path) -> bool:
    """Return whether a folder is a site."""
    return os.path.isdir(folder / INVENTORY) or os.path.isfile(folder / SETTINGS)


def built_in(name: str) -> Path:
    """Return a file that comes with MultiAll: at the top of a checkout, else in the installed package."""
    package = Path(__file__).parents[2]
    inside = package / "shipped" / name
    return inside if inside.exists() else package.parent / name


def read_site(root: Path) -> Site:
    """Read the site in a folder. Raises InputFaults with every error of its files."""
    faults: list[Fault] = []
    with _no_collection():
        inventory = _SiteReader(root, faults).inventory()
    packs, own, tried = _packs(root, faults)
    check_rules(inventory, packs, own, partial(_add_fault, faults))
    settings = _read(root, SETTINGS, SettingsShape, faults)
    _check_publication(settings, faults)
    guards = default_guards()
    rules = _read(root, GUARDS, RulesShape, faults)
    if faults:
        raise InputFaults(faults)
    return Site(
        root=str(root),
        inventory=inventory,
        settings=settings_of(settings[0], str(root)) if settings else Settings(),
        guards=guards_of(rules[0], guards) if rules else guards,
        packs=packs,
        examples=tried,
    )


def _check_publication(settings: tuple[SettingsShape, YamlValue] | None, faults: list[Fault]) -> None:
    """A copy that expires before the next one is published is worse than none."""
    topology = settings_of(settings[0], "").topology if settings else TopologySettings()
    if settings and topology.publish and topology.ttl < 2 * topology.every:
        what = (
            f"'ttl' is {topology.ttl:g} s and scans run every {topology.every:g} s: copies expire before their renewal"
        )
        faults.append(Fault(origin_of(settings[1], "topology", "ttl"), what, "make it at least twice `every`"))


_Packs = dict[str, dict[str, Saying]]


def _packs(root: Path, faults: list[Fault]) -> tuple[_Packs, _Packs, dict[str, dict[str, Example]]]:
    """Return all packs by name, the site's before the built-in ones; the site's own; the examples of their rules."""
    shipped_ones: _Packs = {}
    own: _Packs = {}
    tried: dict[str, dict[str, Example]] = {}
    for found, top, pack_faults, prefix in (
        (shipped_ones, built_in(GUARDS).parents[1], [], "shipped "),
        (own, root, faults, ""),
    ):
        for file in _yaml_files(top / RULES, RULES, pack_faults):
            if _is_empty(top / RULES / file):
                found[Path(file).stem] = {}  # being written just now, perhaps by `baseline learn`; no pool can use it
            elif f"{RULES}/{file}" != GUARDS and (
                fitted := _read(top, f"{RULES}/{file}", PackShape, pack_faults, prefix)
            ):
                report = partial(_add_fault, pack_faults)
                name = Path(file).stem
                found[name], tried[name] = rule_sources(fitted[1], report), examples(fitted[1])
                check_commands(found[name], fitted[1], report)
    return {**shipped_ones, **own}, own, tried


def _is_empty(file: Path) -> bool:
    try:
        return file.is_file() and not file.stat().st_size
    except OSError:
        return False  # the reader reports why it cannot be read


def _add_fault(faults: list[Fault], origin: Origin, what: str, todo: str) -> None:
    faults.append(Fault(origin, what, todo))


def _yaml_files(folder: Path, name: str, faults: list[Fault]) -> list[str]:
    """Return the site's files in one of its folders, by name; hidden ones belong to editors."""
    try:
        found = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        faults.append(Fault(Origin(name, 1, 1), f"cannot be read: {error.strerror}", "fix its permissions"))
        return []
    return [each for each in found if each.endswith((".yaml", ".yml")) and each[0] != "."]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable the garbage collector: reading makes no garbage, and a large site is read a third faster."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def default_guards() -> dict[str, GuardLimit]:
    """Return the built-in guards. Raises InputFaults."""
    faults: list[Fault] = []
    path = built_in(GUARDS)
    rules = _read(path.parents[1], GUARDS, RulesShape, faults)
    if faults:
        raise InputFaults(faults)
    return guards_of(rules[0], {}) if rules else {}


def read_text(path: Path, file: str) -> str | Fault:
    """Return a file's text, or its error; `file` is its name there."""
    origin = Origin(file, 1, 1)
    try:
        # Reading a pipe or a device could block for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return Fault(origin, "is not a regular file", "put a file there")
        with open(path, "rb") as opened:
            content = opened.read(LIMIT + 1)
    except OSError as error:
        return Fault(origin, f"cannot be read: {error.strerror}", "fix its path or its permissions")
    if len(content) > LIMIT:
        return Fault(origin, f"has more than {LIMIT >> 20} MiB", "split it into several files")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]  # without a byte order mark that `content` may begin with
        place = Origin(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        return Fault(place, "is not UTF-8", "save it as UTF-8")
    return text if text.strip() else Fault(origin, "is empty", "write something into it, or remove it")


def _read(
    root: Path, file: str, shape: type[Shape], faults: list[Fault], prefix: str = ""
) -> tuple[Shape, YamlValue] | None:
    """Return a validated file; None if it is missing, wrong, or has only comments. `prefix`: prefix of its name in
    positions, if it is not the site's.
    """
    path = root / file
    if not os.path.lexists(path):
        return None
    text = read_text(path, file)
    if isinstance(text, Fault):
        faults.append(text)
        return None
    written, found = parse_yaml(text, prefix + file)
    faults += found
    return validate(written, shape, faults) if written is not None else None


class _SiteReader:
    """Gathers servers, pools and zones from all files of inventory/."""

    def __init__(self, root: Path, faults: list[Fault]) -> None:
        self._root = root
        self._faults = faults
        self._servers: dict[str, Server] = {}
        self._zones_at: dict[str, Origin] = {}
        self._broken: set[str] = set()

    def inventory(self) -> Inventory:
        fitted = [_read(self._root, file, InventoryShape, self._faults) for file in self._files()]
        tables = [written for found in fitted if found for written in [found[1]] if isinstance(written, YamlMapping)]
        for table in tables:
            self._take_servers(table)
        drafts: dict[str, UnresolvedPool] = {}
        for table in tables:
            self._take_pools(table, drafts)
        self._check_dependencies()
        zones = {zone.id: zone for table in tables for zone in self._zones(table)}
        found = Inventory(self._servers, resolve_members(drafts, self._servers, self._report), zones)
        pools = {
            name: replace(pool, names=names_in(drafts[name].written, pool, found, self._broken, self._report))
            if value_at(drafts[name].written, "dns")
            else pool
            for name, pool in found.pools.items()
        }
        return replace(found, pools=pools)

    def _zones(self, table: YamlMapping) -> Iterator[Zone]:
        section = table.entries.get("zones")
        if not isinstance(section, YamlMapping):
            return
        for written in section.entries:
            zone = zone_in(written, section, str(self._root), self._servers, self._report)
            if zone is None:
                self._broken.add(zone_id(written))
                continue
            first = self._zones_at.setdefault(zone.id, zone.origin)
            if first is zone.origin:
                yield zone
            else:
                what = f"the zone {shown(written)} is declared twice (first at {first})"
                self._report(zone.origin, what, "keep one of them")

    def _files(self) -> list[str]:
        found = _yaml_files(self._root / INVENTORY, INVENTORY, self._faults)
        return [f"{INVENTORY}/{name}" for name in found]

    def _report(self, origin: Origin, what: str, todo: str) -> None:
        _add_fault(self._faults, origin, what, todo)

    def _take_servers(self, table: YamlMapping) -> None:
        section = table.entries.get("servers")
        if not isinstance(section, YamlMapping):
            return
        for pattern in section.entries:
            left = MOST_SERVERS - len(self._servers)
            entry = section.entries[pattern]
            own, without = rule_sources(entry, self._report), names(entry, "without")
            for plain in servers_of(pattern, section, str(self._root), self._faults, left):
                server = plain
                if own or without or value_at(entry, "except"):
                    exempt = waivers(entry, plain.name, self._report)
                    server = replace(plain, rules=own, without=without, waivers=exempt)
                first = self._servers.setdefault(server.name, server)
                if first is not server:
                    what = f"{shown(server.name)} is declared twice (first at {first.origin})"
                    self._report(server.origin, what, "keep one of them")

    def _check_dependencies(self) -> None:
        """Check that dependencies are known servers, and form no cycle."""
        for server in self._servers.values():
            place = server.where.get("depends_on", server.origin)
            for name in server.depends_on:
                if name not in self._servers:
                    todo = f"{did_you_mean(name, self._servers)}use a server of this inventory"
                    self._report(place, f"{shown(server.name)} depends on {shown(name)}, which is not a server", todo)
            cycle = circle_of(server.name, self._servers)
            if cycle and server.name == min(cycle):  # reported once, not for each server in the cycle
                self._report(place, f"it depends on itself: {' → '.join(cycle)}", "remove one of them")

    def _take_pools(self, table: YamlMapping, drafts: dict[str, UnresolvedPool]) -> None:
        section = table.entries.get("pools")
        if not isinstance(section, YamlMapping):
            return
        for name, entry in section.entries.items():
            pool = pool_of(name, section, str(self._root), self._servers, self._report)
            if pool is None or not isinstance(entry, YamlMapping):
                continue
            pool = replace(
                pool,
                baseline=names(entry, "baseline"),
                rules=rule_sources(entry, self._report),
                without=names(entry, "without"),
                waivers=waivers(entry, f"@{name}", self._report),
                where={"baseline": origin_of(entry, "baseline")},
            )
            if name in drafts:
                what = f"the pool {shown(name)} is declared twice (first at {drafts[name].pool.origin})"
                self._report(pool.origin, what, "keep one of them")
            else:
                drafts[name] = UnresolvedPool(pool, entry)
