"""A pool's files and names as one plan and one report."""

from collections.abc import Iterator
from dataclasses import replace

from multiall_cli.cli.render import pools, zones
from multiall_cli.cli.render.document import line
from multiall_cli.cli.render.json_form import plain
from multiall_cli.cli.render.result import View
from multiall_cli.domain.exits import worst
from multiall_cli.domain.pool_plan import PoolPlan, PoolReport
from multiall_cli.domain.records import ZoneReport


def plan(found: PoolPlan) -> View:
    """All of it carries one id: that of `pool sync --plan`."""
    if not found.names and found.files is not None:
        return pools.plan(found.files)
    names = tuple(replace(each, plan=replace(each.plan, id="")) for each in found.names)
    view = zones.plans(names)
    if found.files is not None:
        view = _beside(pools.plan(replace(found.files, id="")), view, names)

    def human(wide: bool) -> Iterator[object]:
        yield from view.human(wide)
        if not view.well:
            yield line(f"{found.pool}: plan {found.id}", style="bold")

    shown = plain(view.value)
    told = {**shown, "id": found.id} if isinstance(shown, dict) else shown
    last = {"pool": found.pool, "id": found.id}
    return replace(view, value=told, human=human, items=[*view.items, last])


def report(found: PoolReport) -> View:
    if found.files is None:
        return zones.reports(found.names)
    files = found.files
    if not found.names:
        return pools.report(files)
    return _beside(
        pools.report(replace(files, plan=replace(files.plan, id=""))), zones.reports(found.names), found.names
    )


def _beside(files: View, names: View, found: tuple[ZoneReport, ...]) -> View:
    value = plain(files.value)
    told = {**value, "zones": found} if isinstance(value, dict) else value

    def human(wide: bool) -> Iterator[object]:
        yield from names.human(wide)
        yield from files.human(wide)

    return replace(
        files,
        value=told,
        human=human,
        items=[*files.items, *names.items],
        names=[*files.names, *names.names],
        cases=[*files.cases, *names.cases],
        exit=worst([files.exit, names.exit]),
        well=files.well and names.well,
        urgent=None,
    )
