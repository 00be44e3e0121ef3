"""Plan of a pool: changes of its files and its names under one id."""

from collections.abc import Callable
from dataclasses import field

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.records import ZonePlan, ZoneReport
from multiall_cli.domain.report import Report


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Plan of a pool. `files` None: it declares names only; `names`: a plan per zone; `id`: covers all of it."""

    pool: str
    files: Plan | None
    names: tuple[ZoneReport, ...]
    id: str


@dataclass(frozen=True, slots=True)
class PoolReport:
    """Result of a sync: of the pool's files (None: it declares none) and of its names."""

    files: Report | None
    names: tuple[ZoneReport, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class PoolWish:
    """Options of the operator.

    `only`: a target within the pool, which excludes the pool's names; `plan`: an id that the plan must still have;
    `files_forced`, `names_forced`: guards to pass; `confirm_files`, `confirm_names`: called with the plan, return
    whether to go on.
    """

    only: str = ""
    plan: str = ""
    files_forced: tuple[str, ...] = ()
    names_forced: tuple[str, ...] = ()
    lock_wait: float = 0.0
    confirm_files: Callable[[Plan], bool] = lambda plan: True
    confirm_names: Callable[[ZonePlan], bool] = lambda plan: True
