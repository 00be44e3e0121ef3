"""Values that the suites save."""

from multiall_cli.domain.run import Entry, Holder, PendingHandler, Run, Stage
from multiall_cli.domain.scope import Scope, pool_scope

ODD = ("plain", "\udcff\udcfe", "new\nline", "\0nul", "ünï", "'; DROP TABLE runs; --", '"\\')
"""Names and words as members may give them: any bytes."""
WEB, DB = pool_scope("web"), pool_scope("db")
ME = Holder("ann", "adm1", 4242, 1_700_000_000.0, "pool sync web")
FILES = "files:/srv"


def a_run(run_id: str = "r1", *scopes: Scope, started: float = 1.0) -> Run:
    return Run(run_id, "sync", scopes or (WEB,), ("a", "b"), "plan", "ann", "adm1", 1, started)


def an_entry(
    key: str = "k", run: str = "r1", subject: str = "a", stage: Stage = Stage.INTENT, detail: str = "", at: float = 1.0
) -> Entry:
    return Entry(run, FILES, subject, subject, key, "update", "before", "after", stage, detail, at)


def a_handler(run: str = "r1", subject: str = "a", agent: str = FILES) -> PendingHandler:
    return PendingHandler(WEB, subject, agent, "reload", ("nginx",), run)
