"""Drift checks: whether a sync would change what pools declare. They need no rule."""

from collections.abc import Mapping

from multiall_cli.domain.baseline import Code, Expectation, Rule
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import FilesDeclaration, Inventory, Pool
from multiall_cli.domain.zones import NameDeclaration
from multiall_cli.planning.checks.kinds import Check, Value, Worse
from multiall_cli.planning.measures import Measure

DRIFT = "drift"
CHECKS: Mapping[str, Check] = {
    DRIFT: Check(
        "What a pool declares (files, names), by what a sync would change: every declaration is checked so, without a "
        "rule.",
        {"agent": Measure.TEXT},
        values={"changes": Value(Measure.COUNT, Worse.HIGH, warns=Code.DRIFT, means="that a sync would make")},
        ours=True,
    ),
}


def drift_rules(inventory: Inventory) -> dict[str, tuple[Rule, ...]]:
    """Return server → a rule for each of its declarations. A declaration of several pools gives one rule."""
    found: dict[str, dict[str, Rule]] = {name: {} for name in inventory.servers}
    for pool in inventory.pools.values():
        for files in pool.files:
            rule = _rule(files_rule(files), pool, f"multiall pool sync {pool.name}", files.origin)
            for server in pool.members:
                found[server].setdefault(rule.id, rule)
        for each in pool.names:
            rule = _rule(names_rule(each), pool, f"multiall dns sync {each.zone.rstrip('.')}", each.origin)
            for server in each.members:
                found[server].setdefault(rule.id, rule)
    return {server: tuple(rules.values()) for server, rules in found.items()}


def files_rule(declared: FilesDeclaration) -> str:
    """Return the name of the rule of a file declaration."""
    return f"files:{declared.path}"


def names_rule(declared: NameDeclaration) -> str:
    """Return the name of the rule of a name declaration. A name in several views has a rule for each."""
    name = declared.name.rstrip(".")
    return f"names:{name}@{declared.zone}" if declared.domain else f"names:{name}"


def _rule(name: str, pool: Pool, todo: str, origin: Origin) -> Rule:
    return Rule(
        name,
        DRIFT,
        {"agent": name},
        (Expectation("changes", warning=1.0),),
        title=f"as the pool {pool.name} declares it",
        todo=todo,
        origin=origin,
        where={"check": origin},
    )
