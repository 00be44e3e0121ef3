"""Reads the baseline rules of site files with their positions, and checks each rule against its check."""

from collections.abc import Iterable, Mapping

from multiall_cli.adapters.site.convert import ReportError, items, origin_of, text_of, value_at
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.health import Waiver
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.rule_source import Example, Saying, SourcedValue
from multiall_cli.planning.durations import ZONED, parse_timestamp
from multiall_cli.planning.rules import Packs, build, conflicts, is_id, layers, merged
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.whom import INVENTORY


def rule_sources(entry: YamlValue | None, report: ReportError) -> dict[str, Saying]:
    """Return the `rules:` of a pack, a pool or a server: rule → key → written value."""
    table = value_at(entry, "rules")
    found: dict[str, Saying] = {}
    if not isinstance(table, YamlMapping):
        return found
    for name, written in table.entries.items():
        if not isinstance(written, YamlMapping):
            continue  # reported by the validation
        if not is_id(name):
            report(table.keys[name], f"{shown(name)} is not a valid rule name", "write such as disk.root")
            continue
        if not written.entries:
            report(table.keys[name], f"the rule {shown(name)} is empty", "write such as {check: load, five: 4}")
            continue
        found[name] = _rule_source(written)
    return found


def examples(entry: YamlValue | None) -> dict[str, Example]:
    """Return the `tests:` of a pack: rule → examples."""
    table = value_at(entry, "tests")
    if not isinstance(table, YamlMapping):
        return {}
    found = {}
    for rule, written in table.entries.items():
        bad = value_at(written, "bad")
        several = bad.items if isinstance(bad, YamlList) else (bad,)
        found[rule] = Example(
            _rule_source(value_at(written, "good")), tuple(map(_rule_source, several)), table.keys[rule]
        )
    return found


def _rule_source(written: YamlValue | None) -> Saying:
    table = written.entries if isinstance(written, YamlMapping) else {}
    return {key: SourcedValue(_written_value(each), each.origin) for key, each in table.items()}


def check_commands(pack: Mapping[str, Saying], entry: YamlValue, report: ReportError) -> None:
    """Check that a pack which runs commands says so at its top: packs may come from elsewhere."""
    if (text_of(entry, "commands") or "").lower() == "true":
        return
    for rule, source in pack.items():
        runs = [source[key] for key, word in (("check", "command"), ("remedy", "run")) if _first(source, key) == word]
        if runs:
            what = f"the rule {rule} runs a command, but its pack does not allow commands"
            report(runs[0].origin, what, "write `commands: true` at its top, if that is intended")


def _first(source: Saying, key: str) -> str:
    value = source[key].value if key in source else ""
    return value if isinstance(value, str) else next(iter(value), "")


def _written_value(written: YamlValue) -> str | tuple[str, ...]:
    if isinstance(written, YamlList):
        return tuple(each.text for each in written.items if isinstance(each, YamlScalar))
    return written.text if isinstance(written, YamlScalar) else ""


def names(entry: YamlValue | None, key: str) -> tuple[str, ...]:
    """Return a list of words."""
    return tuple(each.text for each in items(value_at(entry, key)) if isinstance(each, YamlScalar))


def waivers(entry: YamlValue | None, target: str, report: ReportError) -> tuple[Waiver, ...]:
    """Return the `except:` of a pool or a server. `target`: its servers."""
    table = value_at(entry, "except")
    found: list[Waiver] = []
    if not isinstance(table, YamlMapping):
        return ()
    for rule, written in table.entries.items():
        try:
            ends = parse_timestamp(text_of(written, "until") or "")
        except ValueError:
            report(origin_of(written, "until"), f"'until' is {shown(text_of(written, 'until') or '')}", ZONED)
            continue
        because = text_of(written, "because") or ""
        found.append(Waiver(rule, target, ends, because, INVENTORY, origin=table.keys[rule]))
    return tuple(found)


def check_rules(inventory: Inventory, packs: Packs, own: Packs, report: ReportError) -> None:
    """Report all errors in the rules of packs, pools and servers. `own`: the site's own packs."""
    for pack in own.values():
        _build(pack, pack, report)
    for pool in inventory.pools.values():
        for name in pool.baseline:
            if name not in packs:
                todo = f"{did_you_mean(name, packs)}`multiall baseline packs` shows all"
                report(pool.where.get("baseline", pool.origin), f"unknown pack {shown(name)}", todo)
            elif not packs[name]:
                todo = "write rules into it, or remove it here"
                report(pool.where.get("baseline", pool.origin), f"the pack {shown(name)} has no rules", todo)
        if pool.quorum is not None and not pool.quorum.percent and pool.quorum.number > len(pool.members):
            many = len(pool.members)
            what = f"the quorum of {pool.name} is {pool.quorum}, but it has {many} member{'s' if many != 1 else ''}"
            report(pool.origin, what, "make it smaller, or write a share such as 50%")
        _build(pool.rules, merged([*(packs.get(name, {}) for name in pool.baseline), pool.rules]), report)
    for (first, second), about in conflicts(inventory, packs).items():
        what = f"contradicts {first} about {about}"
        report(second, what, "make them equal, give one pool a higher `priority`, or set it at the server")
    for server in inventory.servers.values():
        if server.rules:
            _build(server.rules, merged(layers(inventory, packs, server.name)), report)


def _build(wanted: Iterable[str], source: Mapping[str, Saying], report: ReportError) -> None:
    for rule in wanted:
        build(rule, source[rule], report, source)
