"""multiall baseline, as a user types it: well, unwell, unknown, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from tests.fixtures.desk import Desk

PACK = """\
rules:
  home: {check: file, path: /tmp, kind: directory, title: a folder}
  root: {check: user, name: root, shell: /bin/bash}
  disk: {check: disk, path: /, free: 1kB}
  gone: {check: file, path: /no/such/file, do: 'make it'}
  slow: {check: command, argv: [sleep, '600']}
"""


def said(desk: Desk, more: str = "", pack: str = PACK) -> None:
    """A pool of two servers that takes the pack."""
    (desk.site / "rules").mkdir(exist_ok=True)
    (desk.site / "rules" / "own.yaml").write_text(pack)
    pool = f"pools: {{health: {{members: 'web[1-2]', baseline: [own]{more}}}}}\n"
    (desk.site / "inventory" / "health.yaml").write_text(pool)


def test_problems_are_folded_and_told_with_what_to_do(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    done = desk.call("baseline", "check", "web[1-2]")
    assert done.exit == 10
    assert re.search(r"^404 missing +gone +web\[1-2\] +not there$", done.out, re.M)
    assert "gone: make it" in done.out
    assert "2 servers: 2 critical, 6 good; the worst is 404 missing" in done.out
    wide = desk.call("baseline", "check", "web1", "-o", "wide").out
    assert re.search(r"^200 ok +disk +web1 +free ", wide, re.M)
    assert "200 ok  " in wide


def test_all_well_is_quiet(desk: Desk) -> None:
    said(desk, ", without: [slow, gone]")
    assert desk.call("baseline", "check", "web1", "--quiet").out == ""
    assert desk.call("baseline", "check", "web1").exit == 0
    nothing = desk.call("baseline", "check", "web3")
    assert (nothing.exit, "no rules" in nothing.out) == (0, True)


def test_one_that_hangs_costs_itself_alone(desk: Desk) -> None:
    """The others are read, before it and behind it."""
    pack = PACK.replace("  disk:", "  later: {check: command, argv: [sleep, '600']}\n  disk:")
    said(desk, ", without: [gone, slow]", pack)
    told = desk.call("baseline", "check", "web1", "--json")
    codes = {each["rule"]: each["code"] for each in told.json()["servers"][0]["statuses"]}
    assert codes == {"home": 200, "root": 200, "later": 504, "disk": 200}
    assert told.exit == 10


def test_a_warning_can_be_let_pass(desk: Desk) -> None:
    said(desk, ", without: [slow], rules: {gone: {severity: warning}}")
    assert desk.call("baseline", "check", "web1").exit == 10
    assert desk.call("baseline", "check", "web1", "--fail-on", "critical").exit == 0


def test_who_cannot_be_reached_is_unknown_and_stays_as_it_was(desk: Desk) -> None:
    said(desk, ", without: [slow, gone]")
    assert desk.call("baseline", "check", "web1", "--quiet").exit == 0
    desk.lab.kill("web1")
    done = desk.call("baseline", "check", "web[1-2]", "--json")
    assert done.exit == 3
    told = {each["server"]: each for each in done.json()["servers"]}
    assert (told["web1"]["code"], told["web2"]["code"]) == (503, 200)
    assert {each["shows"] for each in told["web1"]["statuses"]} == {"as it was"}
    assert "web1: 503 unreachable" in desk.call("baseline", "check", "web1", "--quiet").out


def test_maintenance_is_no_failure(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    desk.call("topology", "maintenance", "web1", "--for", "1h", "--because", "its disk")
    done = desk.call("baseline", "check", "web1", "--json")
    assert done.json()["servers"][0]["code"] == 105
    assert done.exit == 0


def test_every_format(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    assert 'failures="1"' in desk.call("baseline", "check", "web1", "-o", "junit").out
    assert "::error" in desk.call("baseline", "check", "web1", "-o", "github").out
    assert desk.call("baseline", "check", "web1", "-o", "name").out == "web1\n"
    assert len(desk.call("baseline", "check", "web1", "-o", "ndjson").out.splitlines()) == 4


def test_explain_names_the_line_that_won(desk: Desk) -> None:
    said(desk, ", rules: {disk: {used: 98%}}")
    told = desk.call("baseline", "explain", "web1", "disk").out
    assert re.search(r"used +inventory/health\.yaml:1:\d+", told)
    assert re.search(r"path +rules/own\.yaml:4:\d+", told)
    assert "there is no such server" in desk.call("baseline", "explain", "web9").err
    assert "did you mean disk?" in desk.call("baseline", "explain", "web1", "dsk").err


def test_what_there_is(desk: Desk) -> None:
    said(desk)
    assert re.search(r"^own +5 +health$", desk.call("baseline", "packs").out, re.M)
    assert re.search(r"^linux +12 +none$", desk.call("baseline", "packs").out, re.M)
    assert "certificate: A certificate" in desk.call("baseline", "checks").out
    assert re.search(r"^404 +missing +not there, and should be +2$", desk.call("baseline", "codes").out, re.M)


@pytest.mark.parametrize(
    ("pack", "says"),
    [
        ("rules: {a: {check: dsk, path: /}}", "rules/own.yaml:1:20: there is no check 'dsk'; did you mean disk?"),
        (
            "rules: {a: {check: disk, path: /, used: 90}}",
            "rules/own.yaml:1:41: 'used' is '90'; write a share such as 90%",
        ),
        ("rules: {'a b': {check: load, five: 4}}", "'a b' cannot be the name of a rule"),
        ("rules: [1]", "rules/own.yaml:1:8: "),
        ("ruls: {}", "did you mean rules?"),
        ("rules: {a: {check: load, five: 4, five: 5}}", "rules/own.yaml:1:35: "),
    ],
)
def test_faults_of_rules_are_told_with_their_place(desk: Desk, pack: str, says: str) -> None:
    said(desk, pack=pack)
    done = desk.call("inventory", "check")
    assert (done.exit, says in done.err + done.out) == (2, True), done.err


def test_a_pack_that_is_not_there(desk: Desk) -> None:
    said(desk)
    path = desk.site / "inventory" / "health.yaml"
    path.write_text(path.read_text().replace("[own]", "[linus]"))
    assert "there is no pack 'linus'; did you mean linux?" in desk.call("inventory", "check").err


def test_the_shipped_pack_reads_everything(desk: Desk) -> None:
    """On this machine, whatever its state: nothing of it is a fault of the check."""
    said(desk)
    path: Path = desk.site / "inventory" / "health.yaml"
    path.write_text(path.read_text().replace("[own]", "[linux]"))
    told = json.loads(desk.call("baseline", "check", "web1", "--json").out)["servers"][0]["statuses"]
    assert len(told) == 12
    assert {each["code"] for each in told if each["code"] >= 500} <= {506}


NEWER = """\
rules:
  own: {check: process, command: '[p]ython', count: 1, rss: 1TB}
  libc: {check: package, name: bash, at_least: '1'}
  old: {check: package, name: bash, at_least: '999:1'}
  name: {check: dns, name: www.example, server: 127.0.0.1, port: 9}
  maria: {check: database, engine: mysql, port: 9}
  root: {check: sudoers, user: no-such-user, present: false}
  clock: {check: ntp, error: 1000d, synchronised: true, severity: warning}
"""


def test_what_is_read_of_more_than_files(desk: Desk) -> None:
    said(desk, pack=NEWER)
    done = desk.call("baseline", "check", "web1", "--json")
    told = {each["rule"]: each for each in done.json()["servers"][0]["statuses"]}
    found = {name: told[name]["code"] for name in ("own", "libc", "old", "name", "maria", "root")}
    assert found == {"own": 200, "libc": 200, "old": 402, "name": 404, "maria": 401, "root": 200}
    assert re.search(r"^recent false \(it is .*, and 999:1 is wanted\)$", told["old"]["shows"])
    assert told["clock"]["code"] in (200, 300)
