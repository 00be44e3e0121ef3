"""`fleet.baseline`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from multiall_cli.domain.baseline import Rule, ServerHealth
from multiall_cli.domain.errors import Fault
from multiall_cli.domain.health import Health, RuleHistory, Waiver
from multiall_cli.domain.remedy import Remedied, Remedies, Remedy
from multiall_cli.fleet import health as work
from multiall_cli.fleet.lookup import select_or_all, select_servers

if TYPE_CHECKING:
    from multiall_cli.engine.context import Context
    from multiall_cli.planning.rule_generation import GeneratedRules
    from multiall_cli.planning.rule_tests import RuleTest


class Baseline:
    """Baseline: the health of servers by their rules, waivers and remedies."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def check(self, target: str = "", *, drift: bool = False) -> Iterator[ServerHealth]:
        """Check servers and yield each result as it arrives. `target` '': all servers.

        `drift`: also compare with what pools declare; without it the last comparison counts.
        """
        return work.check(self._context, select_or_all(self._context, target), drift=drift)

    def saved(self, target: str = "") -> tuple[ServerHealth, ...]:
        """Return the result of each server's last check. Asks no server."""
        return work.remembered(self._context, select_or_all(self._context, target))

    def summarize(self, servers: Iterable[ServerHealth]) -> Health:
        """Return what results mean for pools, and which waivers end soon."""
        return work.of(self._context, servers)

    def rules(self, server: str, rule: str = "") -> tuple[Rule, ...]:
        """Return the rules of a server, or one of them. Raises UsageError, InputFaults."""
        return work.rules(self._context, server, rule)

    def waivers(self) -> tuple[Waiver, ...]:
        """Return the waivers that apply now, of the store and of the inventory."""
        return tuple(work.waivers_now(self._context))

    def waive(self, rule: str, target: str, ends: float, because: str) -> Waiver:
        """Let a rule fail on servers until a time (seconds since the epoch). Raises UsageError."""
        return work.waive(self._context, rule, target, ends, because)

    def revoke(self, number: int) -> Waiver:
        """End a waiver. Raises UsageError if it does not apply any more."""
        return work.revoke(self._context, number)

    def history(self, rule: str, target: str = "", since: float = 0.0) -> tuple[RuleHistory, ...]:
        """Return the results of a rule on each server since a time (seconds since the epoch). Raises UsageError."""
        return work.history(self._context, rule, target, since)

    def remedies(self, target: str = "") -> Remedies:
        """Check servers and return the remedies that may be applied now; not those applied a short while ago."""
        return work.remedies(self._context, select_or_all(self._context, target))

    def remedy(self, chosen: Sequence[Remedy]) -> tuple[Remedied, ...]:
        """Apply remedies one after the other, until one does not help. Raises Locked."""
        return work.apply_remedies(self._context, chosen)

    def learn(self, target: str) -> "GeneratedRules":
        """Return rules for what most of some servers run and hold now. Reads only."""
        return work.learn(self._context, select_servers(self._context, target))

    def test_pack(self, pack: str = "") -> "tuple[RuleTest, ...]":
        """Try the rules of a pack on their examples. `pack` '': all packs of the site. Raises UsageError."""
        return tuple(work.test(self._context, pack))

    def lint(self) -> tuple[Fault, ...]:
        """Return warnings about the site's valid rules."""
        return tuple(work.lint(self._context))
