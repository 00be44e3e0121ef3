"""Checks of what pools declare: whether a sync would change anything. No rule has to ask for them."""

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


def drift_rules(inventory: Inventory, server: str) -> tuple[Rule, ...]:
    """One for each declaration of a server, once however many pools make it."""
    found: dict[str, Rule] = {}
    for pool in inventory.pools_of(server):
        for files in pool.files:
            name = files_rule(files)
            found.setdefault(name, _rule(name, pool, f"multiall pool sync {pool.name}", files.origin))
        for each in pool.names:
            if server in each.members:
                name = names_rule(each)
                found.setdefault(name, _rule(name, pool, f"multiall dns sync {each.zone.rstrip('.')}", each.origin))
    return tuple(found.values())


def files_rule(declared: FilesDeclaration) -> str:
    """The name of its rule."""
    return f"files:{declared.path}"


def names_rule(declared: NameDeclaration) -> str:
    """The name of its rule; of a name that several views have, each is one."""
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
