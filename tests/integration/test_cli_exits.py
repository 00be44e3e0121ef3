"""Exit codes: the same in every format, each situation with its own; and JSON that says what it is."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from multiall_cli.cli.options import Format
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.run import Holder
from multiall_cli.domain.scope import pool_scope
from multiall_cli.fleet import Fleet
from tests.fixtures.desk import Desk

WEB = pool_scope("web")

Around = Callable[[Desk], Any]


def nothing(desk: Desk) -> Any:
    return nullcontext()


def synced(desk: Desk) -> Any:
    assert desk.call("pool", "sync", "web", "--yes").exit == 0
    return nullcontext()


def one_dead(desk: Desk) -> Any:
    desk.lab.kill("web2")
    return nullcontext()


def one_missed_it(desk: Desk) -> Any:
    desk.lab.kill("web2")
    assert desk.call("pool", "sync", "web", "--yes").exit == 3
    return nullcontext()


def emptied(desk: Desk) -> Any:
    """The tree has lost most of its files: that looks like an accident."""
    for number in range(12):
        (desk.tree / f"{number}").write_text("x")
    synced(desk)
    for number in range(12):
        (desk.tree / f"{number}").unlink()
    return nullcontext()


def contradicted(desk: Desk) -> Any:
    text = (desk.site / "inventory" / "lab.yaml").read_text()
    other = f"  other:\n    members: [web1]\n    files: [{{path: ~/{desk.there}, source: ./trees/www, trash: 1d}}]\n"
    (desk.site / "inventory" / "lab.yaml").write_text(text + other)
    return nullcontext()


def broken(desk: Desk) -> Any:
    (desk.site / "inventory" / "b.yaml").write_text("servers: {web9: {adress: x}}\npools: {web: {}}\n")
    return nullcontext()


@contextmanager
def locked(desk: Desk) -> Iterator[None]:
    bob = Holder("bob", "there", 1, 0.0, "sync web")
    with Fleet.load(str(desk.site)) as fleet, fleet.context.store.locks.hold(WEB, bob, 0.0):
        yield


SITUATIONS: dict[str, tuple[int, Around, str]] = {
    "list": (0, nothing, "pool list"),
    "plan of a pool as declared": (0, synced, "pool plan web"),
    "status as declared": (0, synced, "pool status web"),
    "sync with nothing to do": (0, synced, "pool sync web --yes"),
    "exec": (0, nothing, "exec @web -- echo hi"),
    "journal": (0, synced, "journal list"),
    "nothing pending": (0, synced, "journal pending"),
    "explain": (0, nothing, "server explain web1"),
    "facts": (0, nothing, "server facts web1"),
    "doctor": (0, nothing, "doctor"),
    "trusted": (0, nothing, "server trust web1"),
    "schema": (0, nothing, "inventory schema"),
    "show": (0, nothing, "inventory show"),
    "check": (0, nothing, "inventory check"),
    "pool show": (0, nothing, "pool show web"),
    "server show": (0, nothing, "server show web1"),
    "server list": (0, nothing, "server list"),
    "unknown pool": (2, nothing, "pool plan wbe"),
    "unknown server": (2, nothing, "server show wbe1"),
    "unknown target": (2, nothing, "exec wbe1 -- true"),
    "unknown verb": (2, nothing, "pool lst"),
    "unknown noun": (2, nothing, "pol list"),
    "unknown option": (2, nothing, "pool list --jsn"),
    "a value out of its range": (2, nothing, "pool list --parallel 0"),
    "a word too many": (2, nothing, "pool plan web web"),
    "no verb": (2, nothing, "pool"),
    "no command": (2, nothing, "exec web1"),
    "empty target": (2, nothing, "exec @failed -- true"),
    "broken site": (2, broken, "pool list"),
    "unknown run": (2, nothing, "journal show 1999"),
    "no terminal to ask on": (2, nothing, "pool sync web"),
    "cp without a server": (2, nothing, "cp a b"),
    "a command failed": (3, nothing, "exec web1 -- sh -c 'exit 3'"),
    "exec with one away": (3, one_dead, "exec @web -- true"),
    "plan with one away and nothing to change": (3, one_missed_it, "pool plan web"),
    "facts with one away": (3, one_dead, "server facts @web"),
    "doctor with one away": (3, one_dead, "doctor"),
    "status with one that missed a run": (3, one_missed_it, "pool status web"),
    "pending with one that missed a run": (3, one_missed_it, "journal pending"),
    "cp from one that is away": (3, one_dead, "cp web2:~/x ."),
    "guard": (4, emptied, "pool sync web --yes"),
    "conflict": (4, contradicted, "pool plan web"),
    "stale plan": (4, nothing, "pool sync web --yes --plan 123"),
    "locked": (5, locked, "pool sync web --yes"),
    "plan with differences": (10, nothing, "pool plan web"),
    "dry run": (10, nothing, "pool sync web --dry-run"),
    "diff": (10, nothing, "pool diff web"),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_code_is_the_same_in_every_format(desk: Desk, situation: str) -> None:
    code, around, line = SITUATIONS[situation]
    with around(desk):
        for output in Format:
            done = desk.call("-o", output.value, *shlex.split(line))
            assert (done.exit, "Traceback" in done.err) == (code, False), f"{output}: {done}"
            read(done.out, output, failed=code in (2, 4, 5))
            if output in (Format.TABLE, Format.WIDE, Format.NAME):
                assert bool(done.err) == (code in (2, 4, 5)), done.err
            else:
                assert done.err == ""
        assert desk.call("--quiet", *shlex.split(line)).exit == code


def read(out: str, output: Format, *, failed: bool) -> None:
    """What was written is of its format, and says what it is."""
    if output is Format.JUNIT:
        assert ElementTree.fromstring(out).tag == "testsuite"
    documents = []
    if output is Format.JSON:
        documents = [json.loads(out)]
    elif output is Format.YAML:
        documents = [yaml.safe_load(out)]
    elif output is Format.NDJSON:
        documents = [json.loads(line) for line in out.splitlines()]
    for each in documents:
        assert each["version"] == 1
        assert each["schema"].startswith("multiall/")
        assert (each["schema"] == "multiall/error") == failed
        if failed:
            assert each["error"]["subject"]
            assert each["error"]["what"]
            assert each["error"]["todo"]


def test_all_codes_are_met_but_two() -> None:
    """1 (a fault of ours) and 130 (interrupted) have tests of their own."""
    assert {code for code, _, _ in SITUATIONS.values()} == {0, 2, 3, 4, 5, 10}


def test_a_sync_has_the_same_code_in_every_format(desk: Desk) -> None:
    """Each format sees its own change, and one member that is away."""
    desk.lab.kill("web4")
    for output in Format:
        (desk.tree / "a.txt").write_text(output)
        done = desk.call("pool", "sync", "web", "--yes", "-o", output.value)
        assert (done.exit, done.err) == (3, "")
        assert (desk.held("web1") / "a.txt").read_text() == output


@pytest.mark.parametrize("options", ["--json", "-o json", "-ojson", "--output=json"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_options_before_the_noun_after_it_and_after_the_verb(desk: Desk, options: str, place: int) -> None:
    line = ["pool", "list"]
    done = desk.call(*line[:place], *options.split(), *line[place:])
    assert done.json()["schema"] == "multiall/pool.list"


def test_every_fault_of_a_site_is_told_at_once(desk: Desk) -> None:
    broken(desk)
    told = desk.call("inventory", "check")
    assert told.exit == 2
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["inventory/b.yaml"] * 2 + ["site"]
    faults = desk.call("inventory", "check", "--json").json()["error"]["faults"]
    assert [f"{each['file']}:{each['line']}:{each['column']}: {each['what']}; {each['todo']}" for each in faults] == (
        told.err.splitlines()[:-1]
    )


def test_no_site_at_all(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "home")
    with pytest.raises(UsageError, match=r"site: none in .*/home or above it; `multiall init DIR` makes one"):
        Fleet.load()


def test_a_file_that_cannot_be_imported_is_named_not_the_site(desk: Desk) -> None:
    done = desk.call("inventory", "import", "ansible", "/nowhere")
    assert (done.exit, done.out) == (2, "")
    assert done.err.splitlines()[1] == "/nowhere: 1 fault in it; mend it and import it again"


def test_a_site_is_begun_and_never_overwritten(desk: Desk, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = desk.call("init", str(new))
    assert (done.exit, done.err) == (0, "")
    told = [f"next: multiall --site {new} inventory check", f"      multiall --site {new} doctor"]
    assert done.out.splitlines()[-2:] == told
    again = desk.call("init", str(new), "--json")
    assert (again.exit, again.json()["error"]["subject"]) == (2, "init")
    assert desk.call("--site", str(new), "inventory", "check").exit == 0
    spaced = tmp_path / "new site"
    assert desk.call("init", str(spaced)).out.splitlines()[-1] == f"      multiall --site '{spaced}' doctor"
