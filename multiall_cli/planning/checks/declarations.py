"""Checks of what pools declare: whether a sync would change anything. No rule has to ask for them."""

from collections.abc import Mapping

from multiall_cli.domain.baseline import Code, Expectation, Rule
from multiall_cli.domain.inventory import Inventory
from multiall_cli.planning.checks.kinds import Check, Value, Worse
from multiall_cli.planning.measures import Measure

DRIFT = "drift"
CHECKS: Mapping[str, Check] = {
    DRIFT: Check(
        "What a pool declares (files), by what a sync would change: every declaration is checked so, without a rule.",
        {"agent": Measure.TEXT},
        values={"changes": Value(Measure.COUNT, Worse.HIGH, warns=Code.DRIFT, means="that a sync would make")},
        ours=True,
    ),
}


def drift_rules(inventory: Inventory, server: str) -> tuple[Rule, ...]:
    """One for each declaration of a server, once however many pools make it."""
    found: dict[str, Rule] = {}
    for pool in inventory.pools_of(server):
        for declared in pool.files:
            name = f"files:{declared.path}"
            rule = Rule(
                name,
                DRIFT,
                {"agent": name},
                (Expectation("changes", warning=1.0),),
                title=f"as the pool {pool.name} declares it",
                todo=f"multiall pool sync {pool.name}",
                origin=declared.origin,
                where={"check": declared.origin},
            )
            found.setdefault(name, rule)
    return tuple(found.values())
