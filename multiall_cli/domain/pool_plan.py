"""What a sync of a pool would change, of files and of names, under one id."""

from collections.abc import Callable
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.records import ZonePlan, ZoneReport
from multiall_cli.domain.report import Report


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """The plan of a pool. `files` None: it declares names only; `names`: a plan for each of its zones; `id`: stands for
    all of it.
    """

    pool: str
    files: Plan | None
    names: tuple[ZoneReport, ...]
    id: str


@dataclass(frozen=True, slots=True)
class PoolReport:
    """What a sync did with a pool's files (None: it declares none) and with its names."""

    files: Report | None
    names: tuple[ZoneReport, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class PoolWish:
    """What the admin asked for. `only`: a target within the pool, whose names are left alone then; `plan`: an id that
    must still hold; `files_forced`, `names_forced`: guards to pass; the others decide on a plan they are shown.
    """

    only: str = ""
    plan: str = ""
    files_forced: tuple[str, ...] = ()
    names_forced: tuple[str, ...] = ()
    lock_wait: float = 0.0
    confirm_files: Callable[[Plan], bool] = lambda plan: True
    confirm_names: Callable[[ZonePlan], bool] = lambda plan: True
