"""From what a site's files say of baseline rules to words with their places; each rule is held against its check."""

from collections.abc import Iterable, Mapping

from multiall_cli.adapters.site.convert import ReportError, items, origin_of, text_of, value_at
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.health import Waiver
from multiall_cli.domain.inventory import Inventory
from multiall_cli.domain.sayings import Example, Said, Saying
from multiall_cli.planning.moments import ZONED, zoned
from multiall_cli.planning.nearest import did_you_mean
from multiall_cli.planning.rules import Packs, build, conflicts, is_id, layers, merged
from multiall_cli.planning.targets.ranges import shown
from multiall_cli.planning.whom import INVENTORY


def sayings(entry: YamlValue | None, tell: ReportError) -> dict[str, Saying]:
    """The `rules:` of a pack, a pool or a server: rule → key → what is written."""
    table = value_at(entry, "rules")
    found: dict[str, Saying] = {}
    if not isinstance(table, YamlMapping):
        return found
    for name, written in table.entries.items():
        if not isinstance(written, YamlMapping):
            continue  # told when it was held against its shape
        if not is_id(name):
            tell(table.keys[name], f"{shown(name)} cannot be the name of a rule", "write such as disk.root")
            continue
        if not written.entries:
            tell(table.keys[name], f"the rule {shown(name)} says nothing", "write such as {check: load, five: 4}")
            continue
        found[name] = _saying(written)
    return found


def examples(entry: YamlValue | None) -> dict[str, Example]:
    """The `tests:` of a pack: rule → what it is tried on."""
    table = value_at(entry, "tests")
    if not isinstance(table, YamlMapping):
        return {}
    found = {}
    for rule, written in table.entries.items():
        bad = value_at(written, "bad")
        several = bad.items if isinstance(bad, YamlList) else (bad,)
        found[rule] = Example(_saying(value_at(written, "good")), tuple(map(_saying, several)), table.keys[rule])
    return found


def _saying(written: YamlValue | None) -> Saying:
    table = written.entries if isinstance(written, YamlMapping) else {}
    return {key: Said(_said(each), each.origin) for key, each in table.items()}


def check_commands(pack: Mapping[str, Saying], entry: YamlValue, tell: ReportError) -> None:
    """A pack may come from elsewhere: that it runs commands must be seen at its top."""
    if (text_of(entry, "commands") or "").lower() == "true":
        return
    for rule, said in pack.items():
        runs = [said[key] for key, word in (("check", "command"), ("remedy", "run")) if _first(said, key) == word]
        if runs:
            what = f"the rule {rule} runs a command, and its pack does not say that it does"
            tell(runs[0].origin, what, "write `commands: true` at its top, if that is meant")


def _first(said: Saying, key: str) -> str:
    value = said[key].value if key in said else ""
    return value if isinstance(value, str) else next(iter(value), "")


def _said(written: YamlValue) -> str | tuple[str, ...]:
    if isinstance(written, YamlList):
        return tuple(each.text for each in written.items if isinstance(each, YamlScalar))
    return written.text if isinstance(written, YamlScalar) else ""


def names(entry: YamlValue | None, key: str) -> tuple[str, ...]:
    """A list of words."""
    return tuple(each.text for each in items(value_at(entry, key)) if isinstance(each, YamlScalar))


def waivers(entry: YamlValue | None, target: str, tell: ReportError) -> tuple[Waiver, ...]:
    """The `except:` of a pool or a server. `target`: the servers that it is about."""
    table = value_at(entry, "except")
    found: list[Waiver] = []
    if not isinstance(table, YamlMapping):
        return ()
    for rule, written in table.entries.items():
        try:
            ends = zoned(text_of(written, "until") or "")
        except ValueError:
            tell(origin_of(written, "until"), f"'until' is {shown(text_of(written, 'until') or '')}", ZONED)
            continue
        because = text_of(written, "because") or ""
        found.append(Waiver(rule, target, ends, because, INVENTORY, origin=table.keys[rule]))
    return tuple(found)


def check_rules(inventory: Inventory, packs: Packs, own: Packs, tell: ReportError) -> None:
    """Tell whatever is wrong with the rules of packs, pools and servers. `own`: the site's own packs."""
    for pack in own.values():
        _build(pack, pack, tell)
    for pool in inventory.pools.values():
        for name in pool.baseline:
            if name not in packs:
                todo = f"{did_you_mean(name, packs)}`multiall baseline packs` shows all"
                tell(pool.where.get("baseline", pool.origin), f"there is no pack {shown(name)}", todo)
            elif not packs[name]:
                todo = "write rules into it, or do not take it"
                tell(pool.where.get("baseline", pool.origin), f"the pack {shown(name)} has no rules", todo)
        if pool.quorum is not None and not pool.quorum.percent and pool.quorum.number > len(pool.members):
            many = len(pool.members)
            what = f"the quorum of {pool.name} is {pool.quorum}, and it has {many} member{'s' if many != 1 else ''}"
            tell(pool.origin, what, "make it smaller, or write a share such as 50%")
        _build(pool.rules, merged([*(packs.get(name, {}) for name in pool.baseline), pool.rules]), tell)
    for (first, second), about in conflicts(inventory, packs).items():
        what = f"it says something else of {about} than {first}"
        tell(second, what, "make them equal, give one pool a higher `priority`, or let the server say it")
    for server in inventory.servers.values():
        if server.rules:
            _build(server.rules, merged(layers(inventory, packs, server.name)), tell)


def _build(wanted: Iterable[str], said: Mapping[str, Saying], tell: ReportError) -> None:
    for rule in wanted:
        build(rule, said[rule], tell, said)
