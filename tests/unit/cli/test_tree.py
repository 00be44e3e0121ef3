"""The tree of nouns and verbs: help everywhere, one table of exit codes, and the Python API on a par with it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer import Context
from typer.main import get_command

from multiall_cli.cli import rounds
from multiall_cli.cli.app import ROOMS, app
from multiall_cli.cli.options import every_verb
from multiall_cli.domain.exits import MEANINGS, Exit
from multiall_cli.fleet import Fleet, sites
from multiall_cli.fleet.nouns.baseline import Baseline
from multiall_cli.fleet.nouns.doctor import Doctor
from multiall_cli.fleet.nouns.journal import JournalVerbs
from multiall_cli.fleet.nouns.pools import Pools
from multiall_cli.fleet.nouns.servers import Servers
from multiall_cli.fleet.nouns.topology import TopologyVerbs
from multiall_cli.fleet.nouns.zones import Zones
from multiall_cli.lab.real.lab import RealLab


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
    "multiall init": sites.make_site,
    "multiall doctor": (Doctor.examine, Doctor.examine_site, Doctor.sudoers),
    "multiall exec": Servers.execute,
    "multiall cp": (Servers.copy, Servers.fetch),
    "multiall inventory check": Fleet.load,
    "multiall inventory show": Fleet.inventory,
    "multiall inventory schema": sites.schemas,
    "multiall inventory import": sites.import_inventory,
    "multiall pool list": Pools.all,
    "multiall pool show": Pools.find,
    "multiall pool plan": Pools.plan,
    "multiall pool sync": Pools.sync,
    "multiall pool status": Pools.status,
    "multiall pool diff": Pools.diff,
    "multiall server list": Servers.select_or_all,
    "multiall server show": Servers.find,
    "multiall server explain": Servers.explain,
    "multiall server facts": Servers.facts,
    "multiall server trust": (Servers.offer, Servers.trust),
    "multiall server shell": Servers.login_command,
    "multiall dns status": Zones.status,
    "multiall dns plan": Zones.plan,
    "multiall dns sync": Zones.sync,
    "multiall dns show": Zones.plan,
    "multiall dns explain": Zones.explain,
    "multiall dns drift": Zones.drift,
    "multiall dns watch": Zones.sync,
    "multiall dns wait": (Zones.departures, Zones.names_serving, Zones.lagging),
    "multiall dns adopt": Zones.adopt,
    "multiall dns import": Zones.suggest,
    "multiall dns history": Zones.history,
    "multiall dns rollback": Zones.roll_back,
    "multiall dns doctor": Zones.examine,
    "multiall baseline check": Baseline.check,
    "multiall baseline status": (Baseline.saved, Baseline.summarize),
    "multiall baseline watch": (Baseline.check, TopologyVerbs.keep_warm),
    "multiall baseline history": Baseline.history,
    "multiall baseline rules": Baseline.rules,
    "multiall baseline explain": Baseline.rules,
    "multiall baseline waive": Baseline.waive,
    "multiall baseline waivers": Baseline.waivers,
    "multiall baseline revoke": Baseline.revoke,
    "multiall baseline remedy": (Baseline.remedies, Baseline.remedy),
    "multiall baseline learn": Baseline.learn,
    "multiall baseline test": Baseline.test_pack,
    "multiall baseline lint": Baseline.lint,
    "multiall baseline packs": Fleet.inventory,
    "multiall baseline checks": (),
    "multiall baseline codes": (),
    "multiall journal list": JournalVerbs.runs,
    "multiall journal show": JournalVerbs.run,
    "multiall journal pending": JournalVerbs.pending,
    "multiall topology scan": TopologyVerbs.scan,
    "multiall topology show": TopologyVerbs.current,
    "multiall topology at": TopologyVerbs.events,
    "multiall topology links": TopologyVerbs.current,
    "multiall topology why": TopologyVerbs.current,
    "multiall topology path": TopologyVerbs.current,
    "multiall topology events": TopologyVerbs.events,
    "multiall topology history": TopologyVerbs.events,
    "multiall topology discover": TopologyVerbs.discover,
    "multiall topology verify": (TopologyVerbs.verify, TopologyVerbs.public_key),
    "multiall topology watch": (TopologyVerbs.scan, TopologyVerbs.keep_warm, TopologyVerbs.is_hinted),
    "multiall topology drain": TopologyVerbs.set_downtime,
    "multiall topology maintenance": TopologyVerbs.set_downtime,
    "multiall topology pin": TopologyVerbs.set_downtime,
    "multiall topology undrain": TopologyVerbs.end_downtime,
    "multiall lab up": RealLab.up,
    "multiall lab down": RealLab.down,
    "multiall lab status": RealLab.status,
    "multiall lab shell": (RealLab.argv, RealLab.argv_beside),
    "multiall lab reset": RealLab.reset,
    "multiall lab break": (RealLab.do, RealLab.undo),
}
"""verb → what of the Python API it calls. `demo` shows the others; `lab` has no site, and so no Fleet, and what a
rule can look at is known without one.
"""

NOUNS = (Baseline, Doctor, JournalVerbs, Pools, Servers, TopologyVerbs, Zones)
NO_VERB = {"find", "select"}
"""Methods that answer no verb of their own: other verbs use them."""


def test_every_verb_is_a_method_and_every_method_a_verb() -> None:
    assert set(MIRROR) | {"multiall demo"} == set(VERBS)
    called = {each for value in MIRROR.values() for each in (value if isinstance(value, tuple) else (value,))}
    for noun in NOUNS:
        public = {name for name in vars(noun) if not name.startswith("_")} - NO_VERB
        assert public == {name for name in public if getattr(noun, name) in called}, noun


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
