"""The tree of nouns and verbs: help everywhere, one table of exit codes, and the Python API on a par with it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer._click import Context
from typer.main import get_command

from multiall_cli import fleet as api
from multiall_cli.cli import rounds
from multiall_cli.cli.app import ROOMS, app
from multiall_cli.cli.options import every_verb
from multiall_cli.domain.exits import MEANINGS, Exit
from multiall_cli.lab.real.lab import Lab


def walk(command: Any, context: Context) -> Iterator[tuple[str, Any, Context]]:
    """Every noun and verb with its path."""
    yield context.command_path, command, context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        below = command.get_command(context, name)
        yield from walk(below, Context(below, info_name=name, parent=context, terminal_width=80))


ROOT = get_command(app)
TREE = {path: (command, context) for path, command, context in walk(ROOT, Context(ROOT, info_name="multiall"))}
VERBS = {path: command for path, (command, _) in TREE.items() if not hasattr(command, "list_commands")}


@pytest.mark.parametrize("path", TREE)
def test_every_help_has_the_one_table_of_exit_codes_and_fits_80_columns(path: str) -> None:
    command, context = TREE[path]
    told = command.get_help(context)
    table = re.search(r"Exit codes:\n((?: .*\n?)+)", told)
    assert table is not None
    rows = [line.split(maxsplit=1) for line in table.group(1).splitlines()]
    assert rows == [[str(code.value), words] for code, words in MEANINGS.items()]
    assert max(map(len, told.splitlines())) <= 80
    assert "..." not in re.sub(r"COMMAND\.\.\.|\[ARGS\]\.\.\.|'\.\.\.'", "", told)


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize("path", VERBS)
def test_every_verb_has_a_docstring_and_words_for_each_option_and_argument(path: str) -> None:
    command = VERBS[path]
    assert (inspect.getdoc(command.callback) or "").splitlines()[0].endswith((".", ":", "`."))
    assert [each.name for each in command.params if not getattr(each, "help", "")] == []


@pytest.mark.parametrize("path", TREE)
def test_the_options_of_every_verb_are_taken_everywhere(path: str) -> None:
    taken = {name for each in TREE[path][0].params for name in each.opts}
    assert taken >= {name for each in every_verb() for name in each.opts}


def test_nouns_stand_in_help_as_they_are() -> None:
    """The lines of `multiall --help` are written by hand, so that no room is entered for them."""
    for noun, (_, words) in ROOMS.items():
        command = ROOT.get_command(None, noun)
        verbs = getattr(command, "commands", {})
        if command.help and command.help.startswith(words.split(":")[0] + ":"):
            assert words == command.help
            assert words.rstrip(".").split(": ")[1].split(", ") == list(verbs)


MIRROR = {
    "multiall init": api.make_site,
    "multiall doctor": (api.Fleet.examine, api.Fleet.examine_site, api.Fleet.sudoers),
    "multiall exec": api.Fleet.execute,
    "multiall cp": (api.Fleet.copy, api.Fleet.fetch),
    "multiall inventory check": api.Fleet.load,
    "multiall inventory show": api.Fleet.inventory,
    "multiall inventory schema": api.schemas,
    "multiall inventory import": api.imported,
    "multiall pool list": api.Fleet.inventory,
    "multiall pool show": api.Fleet.pool,
    "multiall pool plan": (api.Fleet.pool_plan, api.Fleet.plan),
    "multiall pool sync": (api.Fleet.sync_pool, api.Fleet.sync),
    "multiall pool status": api.Fleet.status,
    "multiall pool diff": api.Fleet.diff,
    "multiall server list": api.Fleet.select,
    "multiall server show": api.Fleet.server,
    "multiall server explain": api.Fleet.explain,
    "multiall server facts": api.Fleet.facts,
    "multiall server trust": (api.Fleet.offer, api.Fleet.trust),
    "multiall server shell": api.Fleet.ssh_command,
    "multiall dns status": api.Fleet.zone_status,
    "multiall dns plan": api.Fleet.zone_plans,
    "multiall dns sync": api.Fleet.sync_zones,
    "multiall dns show": api.Fleet.zone_plans,
    "multiall dns explain": api.Fleet.explain_name,
    "multiall dns drift": api.Fleet.zone_drift,
    "multiall dns watch": api.Fleet.sync_zones,
    "multiall dns wait": (api.Fleet.departures, api.Fleet.given_names, api.Fleet.late_zones),
    "multiall dns adopt": api.Fleet.adopt_name,
    "multiall dns import": api.Fleet.import_zone,
    "multiall dns history": api.Fleet.zone_history,
    "multiall dns rollback": api.Fleet.roll_back,
    "multiall dns doctor": api.Fleet.examine_zones,
    "multiall baseline check": api.Fleet.check,
    "multiall baseline status": (api.Fleet.remembered_health, api.Fleet.health_of),
    "multiall baseline watch": (api.Fleet.check, api.Fleet.keep_warm),
    "multiall baseline history": api.Fleet.health_history,
    "multiall baseline rules": api.Fleet.rules,
    "multiall baseline explain": api.Fleet.rules,
    "multiall baseline waive": api.Fleet.waive,
    "multiall baseline waivers": api.Fleet.waivers,
    "multiall baseline revoke": api.Fleet.revoke,
    "multiall baseline remedy": (api.Fleet.remedies, api.Fleet.remedy),
    "multiall baseline learn": api.Fleet.learn,
    "multiall baseline test": api.Fleet.test_pack,
    "multiall baseline lint": api.Fleet.lint,
    "multiall baseline packs": api.Fleet.inventory,
    "multiall baseline checks": (),
    "multiall baseline codes": (),
    "multiall journal list": api.Fleet.runs,
    "multiall journal show": api.Fleet.run,
    "multiall journal pending": api.Fleet.pending,
    "multiall topology scan": api.Fleet.scan,
    "multiall topology show": api.Fleet.topology,
    "multiall topology at": api.Fleet.events,
    "multiall topology links": api.Fleet.topology,
    "multiall topology why": api.Fleet.topology,
    "multiall topology path": api.Fleet.topology,
    "multiall topology events": api.Fleet.events,
    "multiall topology history": api.Fleet.events,
    "multiall topology discover": api.Fleet.discover,
    "multiall topology verify": api.Fleet.verify,
    "multiall topology watch": (api.Fleet.scan, api.Fleet.keep_warm, api.Fleet.hinted),
    "multiall topology drain": api.Fleet.promise,
    "multiall topology maintenance": api.Fleet.promise,
    "multiall topology pin": api.Fleet.promise,
    "multiall topology undrain": api.Fleet.withdraw,
    "multiall lab up": Lab.up,
    "multiall lab down": Lab.down,
    "multiall lab status": Lab.status,
    "multiall lab shell": (Lab.argv, Lab.argv_beside),
    "multiall lab reset": Lab.reset,
    "multiall lab break": (Lab.do, Lab.undo),
}
"""verb → what of the Python API it calls. `demo` shows the others; `lab` has no site, and so no Fleet, and what a
rule can look at is known without one.
"""

NO_VERB = {
    "close",
    "known_hosts",
    "network",
    "reading_world",
    "recalled",
    "recent",
    "seal",
    "state_folder",
    "store",
    "transport",
    "world",
}
"""What a Fleet has besides answers: where things lie, and its own end."""


def test_every_verb_is_a_method_and_every_method_a_verb() -> None:
    assert set(MIRROR) | {"multiall demo"} == set(VERBS)
    called = {each for value in MIRROR.values() for each in (value if isinstance(value, tuple) else (value,))}
    fields = set(api.Fleet.__dataclass_fields__)
    public = {name for name in vars(api.Fleet) if not name.startswith("_")} - fields - NO_VERB
    assert public == {name for name in public if getattr(api.Fleet, name) in called}


@pytest.mark.parametrize("path", VERBS)
def test_every_verb_calls_what_the_mirror_says(path: str) -> None:
    if path == "multiall demo":
        return
    value = MIRROR[path]
    source = inspect.getsource(inspect.getmodule(VERBS[path].callback))  # type: ignore[arg-type]
    if "cli.rounds import" in source:
        source += inspect.getsource(rounds)
    for each in value if isinstance(value, tuple) else (value,):
        name = each.fget.__name__ if isinstance(each, property) else each.__name__
        assert name == "load" or re.search(rf"\b{name}\b", source), name
