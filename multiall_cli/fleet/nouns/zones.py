"""`fleet.zones`."""

from pathlib import Path
from typing import TYPE_CHECKING

from multiall_cli.domain.answer import Finding
from multiall_cli.domain.records import (
    ExplainedName,
    MembershipDecision,
    RetiredRecord,
    RRsetKey,
    ServerZoneStatus,
    ZoneReport,
    ZoneStatus,
)
from multiall_cli.domain.run import Run
from multiall_cli.fleet import zone_doctor, zone_lookup, zone_queries
from multiall_cli.fleet import zones as work

if TYPE_CHECKING:
    from multiall_cli.agents.zones.import_suggestions import ImportSuggestion
    from multiall_cli.engine.context import Context
    from multiall_cli.engine.sync import SyncOptions

RUNS_SHOWN = 20


class Zones:
    """Zones: names that follow the topology. A `zone` of '' means all zones; an unknown one raises UsageError."""

    def __init__(self, context: "Context") -> None:
        self._context = context

    def plan(self, zone: str = "", open_guards: frozenset[str] = frozenset()) -> tuple[ZoneReport, ...]:
        """Return what a sync would change. Reads only. `open_guards`: guards to pass, by full name."""
        return tuple(work.plan(self._context, zone_lookup.chosen(self._context, zone), open_guards))

    def sync(self, zone: str, options: "SyncOptions") -> tuple[ZoneReport, ...]:
        """Bring zones to the state that pools and topology ask for."""
        return tuple(work.sync(self._context, zone_lookup.chosen(self._context, zone), options))

    def status(self, zone: str = "") -> tuple[ZoneStatus, ...]:
        """Ask each name server for its serial."""
        return tuple(zone_queries.status(self._context, zone_lookup.chosen(self._context, zone)))

    def drift(self, zone: str = "") -> tuple[tuple[ZoneReport, tuple[ServerZoneStatus, ...]], ...]:
        """Return differences from what was written, and servers that lag."""
        return tuple(zone_queries.drift(self._context, zone_lookup.chosen(self._context, zone)))

    def explain(self, name: str) -> tuple[ExplainedName, ...]:
        """Return the declarations, decisions and records of a name. Raises UsageError, Unreachable, MemberFault."""
        return zone_queries.explain(self._context, name)

    def departures(self, target: str = "") -> tuple[RetiredRecord, ...]:
        """Return removed records that clients may still have cached. `target`: of these servers."""
        return tuple(zone_queries.departures(self._context, target))

    def names_serving(self, target: str = "") -> tuple[tuple[RRsetKey, MembershipDecision], ...]:
        """Return the names that lead to servers now. `target` '': to servers that should be out. Reads only.

        Raises UsageError, Unreachable, MemberFault.
        """
        return tuple(zone_queries.given(self._context, target))

    def lagging(self) -> tuple[str, ...]:
        """Return zones with a server that was behind at the last check: it may still serve removed records."""
        return tuple(zone_queries.late(self._context))

    def adopt(self, name: str, kind: str, options: "SyncOptions", from_owner: str = "") -> tuple[ZoneReport, ...]:
        """Take over records as they are. Raises UsageError.

        `kind` '': all declared types; `from_owner`: only records with this owner's mark; then `name` may be ''.
        """
        return work.adopt(self._context, name, kind, options, from_owner)

    def suggest(self, zone: str, file: Path | None = None) -> "tuple[ImportSuggestion, ...]":
        """Return names of a zone, or of its file, that pools could declare."""
        return zone_queries.imported(self._context, zone_lookup.chosen(self._context, zone)[0], file)

    def history(self, zone: str = "", limit: int = RUNS_SHOWN) -> tuple[Run, ...]:
        """Return the runs that changed zones, newest first."""
        return zone_queries.history(self._context, zone_lookup.chosen(self._context, zone), limit)

    def roll_back(self, run: str, options: "SyncOptions") -> tuple[ZoneReport, ...]:
        """Undo what a run did to zones. Raises UsageError."""
        return work.rollback(self._context, run, options)

    def examine(self, zone: str = "") -> tuple[tuple[Finding, ...], dict[str, tuple[str, ...]]]:
        """Return problems of the name servers, and the lines that each one's named.conf needs."""
        found = zone_lookup.chosen(self._context, zone)
        return tuple(zone_doctor.examine(self._context, found)), zone_doctor.needed(found)
