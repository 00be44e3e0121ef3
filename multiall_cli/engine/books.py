"""Books of a scope: missed runs and intents without an outcome, and which of them a sync may close.

A member's books are those of its pool. A service has several: a run on the service itself closes all of them; a run of
a pool, which decides on that pool's share only, closes what runs of this pool left open.
"""

from collections.abc import Collection, Mapping, Sequence

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.run import BacklogEntry, Entry
from multiall_cli.domain.scope import Scope, Subject
from multiall_cli.engine.subjects import SubjectWork
from multiall_cli.ports.store import Store


@dataclass(frozen=True, slots=True)
class Books:
    """Books of one scope."""

    store: Store
    scope: Scope

    def waiting(self, agents: Mapping[Subject, Collection[str]]) -> set[Subject]:
        """Return the subjects that missed runs. `agents`: subject -> the names of its agents."""
        is_service = any(not each.is_member for each in agents)
        entries = self.store.backlog.entries(None if is_service else self.scope)
        members = {each.subject for each in entries if each.scope == self.scope}
        return {
            subject
            for subject, names in agents.items()
            if (subject.name in members if subject.is_member else self._has_missed(subject, names, entries))
        }

    def _has_missed(self, subject: Subject, agents: Collection[str], entries: Sequence[BacklogEntry]) -> bool:
        return any(
            each.subject == subject.name and each.agent in agents and self.scope in (each.scope, subject.scope)
            for each in entries
        )

    def unfinished(self, works: Mapping[Subject, SubjectWork]) -> set[Subject]:
        """Return the subjects with intents of cut-off runs, or handlers that have not run."""
        pending = self.store.journal.pending(self.scope)
        members = {each.subject for each in pending} | {each.subject for each in self.store.handlers.of(self.scope)}
        found = {subject for subject in works if subject.is_member and subject.name in members}
        services = (work for work in works.values() if not work.subject.is_member)
        return found | {work.subject for work in services if any(self._may_close(work, each) for each in pending)}

    def _may_close(self, work: SubjectWork, entry: Entry) -> bool:
        if entry.agent not in work.agents or entry.subject != work.name:
            return False
        run = None if work.is_whole else self.store.journal.run(entry.run)
        return work.is_whole or (run is not None and run.scope == self.scope != work.subject.scope)

    def close(self, work: SubjectWork, run: str, now: float) -> int:
        """Close the books of a subject that is as desired; return the number of missed runs that this delivers."""
        if not work.is_whole and work.subject.scope == self.scope:
            return 0  # only some items of the subject are as desired
        agents = list(work.agents) if work.is_whole else []
        self.store.journal.settle(self.scope, work.name, agents, now)
        return self.store.backlog.deliver(self.scope, work.name, agents, run, now)
