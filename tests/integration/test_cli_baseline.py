"""multiall baseline, as a user types it: well, unwell, unknown, and what is refused."""

import json
import re
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from tests.fixtures.desk import ROOT, Desk, Gate
from tests.limits import HANG

PACK = """\
commands: true
rules:
  home: {check: file, path: /tmp, kind: directory, title: a folder}
  root: {check: user, name: root, shell: /bin/bash}
  disk: {check: disk, path: /, free: 1kB}
  gone: {check: file, path: /no/such/file, do: 'make it'}
  slow: {check: command, argv: [sleep, '600']}
"""


def said(desk: Desk, more: str = "", pack: str = PACK) -> None:
    """A pool of two servers that takes the pack; no pool declares anything else."""
    (desk.site / "inventory" / "lab.yaml").write_text((desk.lab.site / "inventory" / "lab.yaml").read_text("utf-8"))
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


def test_who_is_critical_by_a_rule_that_is_gone_or_waived_is_so_no_longer(desk: Desk) -> None:
    """Without another look: what the topology says follows from the rules of now, as `status` does."""

    def health() -> list[int]:
        told = desk.call("topology", "show", "--json").json()["health"]
        return [told[name]["code"] for name in ("web1", "web2")]

    said(desk, ", without: [slow]")
    assert desk.call("baseline", "check", "web[1-2]").exit == 10
    assert health() == [404, 404]
    said(desk, ", without: [slow, gone]")
    assert health() == [200, 200]
    said(desk, ", without: [slow]")
    desk.call("baseline", "waive", "gone", "--on", "web1", "--for", "1h", "--because", "known")
    assert (health()[0] < 400, health()[1]) == (True, 404)


def test_all_well_is_quiet(desk: Desk) -> None:
    said(desk, ", without: [slow, gone]")
    assert desk.call("baseline", "check", "web1", "--quiet").out == ""
    assert desk.call("baseline", "check", "web1").exit == 0
    assert desk.call("baseline", "check", "web[1-3]").exit == 0, "web3 is not asked for anything"


def test_where_nothing_is_asked_for_nothing_is_known(desk: Desk) -> None:
    said(desk)
    words = "no server has rules: pools take packs with `baseline: [linux]`"
    for verb in ("check", "status"):
        nothing = desk.call("baseline", verb, "web[3-4]")
        assert (nothing.exit, nothing.out) == (3, f"{words}\n")
        assert desk.call("baseline", verb, "web3", "--quiet").out == f"{words}\n"
        nagios = desk.call("baseline", verb, "web3", "-o", "nagios")
        assert (nagios.exit, nagios.out) == (3, f"UNKNOWN: {words}\n")
        markdown = desk.call("baseline", verb, "web3", "-o", "markdown")
        assert (markdown.exit, "the worst: ok" in markdown.out) == (3, False)


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
    assert {each["code"] for each in told["web1"]["statuses"]} == {200}
    quiet = desk.call("baseline", "check", "web1", "--quiet").out
    assert re.search(r"^web1: 503 unreachable: .*; it is shown as it was \d+ s ago$", quiet, re.M)


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


def test_each_server_has_a_line_of_ndjson(desk: Desk) -> None:
    """Also one of which nothing is known, or of which what is told is no longer so."""
    said(desk, ", without: [slow, gone]")

    def told(*words: str) -> list[dict[str, object]]:
        lines = map(json.loads, desk.call("baseline", *words, "-o", "ndjson").out.splitlines())
        return [each for each in lines if "rule" not in each]

    never = told("status", "web[1-2]")
    assert [(each["server"], each["code"]) for each in never] == [("web1", 505), ("web2", 505)]
    assert {each["trouble"] for each in never} == {"it has not been looked at yet"}
    desk.call("baseline", "check", "web1")
    desk.lab.kill("web1")
    desk.lab.kill("web2")
    lost = told("check", "web[1-3]")
    assert [(each["server"], each["code"]) for each in lost] == [("web1", 503), ("web2", 503), ("web3", 200)]
    assert all(each["trouble"] for each in lost[:2])
    assert [each["code"] for each in told("status", "web2")] == [503]


def test_explain_names_the_line_that_won(desk: Desk) -> None:
    said(desk, ", rules: {disk: {used: 98%}}")
    told = desk.call("baseline", "explain", "web1", "disk").out
    assert re.search(r"used +98 % +inventory/health\.yaml:1:\d+", told)
    assert re.search(r"path +/ +rules/own\.yaml:5:\d+", told)
    assert "there is no such server" in desk.call("baseline", "explain", "web9").err
    assert "did you mean disk?" in desk.call("baseline", "explain", "web1", "dsk").err


def test_status_is_what_was_seen_last_and_asks_no_server(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    never = desk.call("baseline", "status", "web1")
    assert (never.exit, "505 stale: it has not been looked at yet" in never.out) == (3, True)
    desk.call("baseline", "check", "web1")
    desk.lab.kill("web1")
    status = desk.call("baseline", "status", "web1")
    assert status.exit == 10
    assert re.search(r"^404 missing +gone +web1 +not there$", status.out, re.M)
    settings = desk.site / "multiall.yaml"
    settings.write_text((settings.read_text() if settings.exists() else "") + "baseline: {stale: 1ms}\n")
    assert "505 stale: it was last looked at too long ago" in desk.call("baseline", "status", "web1").out


def test_a_waiver_holds_until_its_end_and_can_be_revoked(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    made = desk.call("baseline", "waive", "go*", "--on", "@health", "--for", "2d", "--because", "ticket 812")
    assert re.search(r"^waiver 1: go\* may fail on @health until ", made.out)
    done = desk.call("baseline", "check", "web[1-2]", "-o", "wide")
    assert (done.exit, "104 exempt" in done.out) == (0, True)
    assert re.search(r"^waiver 1 of go\* on @health ends .* \(ticket 812\)$", done.out, re.M)
    assert re.search(r"^1 +go\* +@health +\S+ \S+ +\S+ +ticket 812$", desk.call("baseline", "waivers").out, re.M)
    assert "waiver 1 is over" in desk.call("baseline", "revoke", "1").out
    assert desk.call("baseline", "check", "web1").exit == 10
    again = desk.call("baseline", "revoke", "1")
    assert (again.exit, "there is none that holds" in again.err) == (2, True)
    for word in ("disk.root", "-1", "9" * 30):
        named = desk.call("baseline", "revoke", "--", word)
        assert (named.exit, "its number stands in `multiall baseline waivers`" in named.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("gone --on web1 --for 1d", "no reason is given"),
        (
            "gone --on web1 --for 1d --until 2030-01-01T00:00Z --because x",
            "both say when it ends; say only one of the two",
        ),
        ("gone --for 1d --because x", "it is about no servers"),
        ("gone --on web1 --because x", "it must end, and say once when"),
        ("gone --on web1 --until 2030-01-01T00:00 --because x", "no time with its zone"),
        ("gone --on web1 --until 2020-01-01T00:00Z --because x", "it would be over before it begins"),
        ("gone --on web1 --for 91d --because x", "it would hold for more than 90 days"),
        ("gon --on web1 --for 1d --because x", "no server of web1 has such a rule; did you mean gone?"),
        ("gone --on state=up --for 1d --because x", "it cannot be about 'state=up', which changes by itself"),
        ("gone --on web9 --for 1d --because x", "web9"),
    ],
)
def test_a_waiver_that_cannot_be(desk: Desk, words: str, says: str) -> None:
    said(desk)
    done = desk.call("baseline", "waive", *words.split())
    assert (done.exit, says in done.err) == (2, True), done.err


def test_an_exception_of_the_inventory(desk: Desk) -> None:
    said(desk, ", without: [slow], except: {gone: {until: '2040-01-01T00:00+01:00', because: ticket 9}}")
    assert desk.call("baseline", "check", "web1").exit == 0
    assert "ticket 9" in desk.call("baseline", "waivers").out
    said(desk, ", without: [slow], except: {gone: {until: '2020-01-01T00:00Z', because: ticket 9}}")
    assert desk.call("baseline", "check", "web1").exit == 10, "it is over"
    said(desk, ", except: {gone: {until: '2040-01-01', because: ticket 9}}")
    faults = desk.call("inventory", "check")
    assert (faults.exit, "'until' is '2040-01-01'; write it with its zone" in faults.err) == (2, True)


def test_history_shows_each_look_and_each_turn(desk: Desk) -> None:
    said(desk, ", without: [slow], rules: {gone: {path: /tmp/multiall-turn}}", PACK)
    held = desk.held("web1").parent / "turn"
    said(desk, f", without: [slow], rules: {{gone: {{path: '{held}'}}}}")
    desk.call("baseline", "check", "web1")
    held.write_text("")
    desk.call("baseline", "check", "web1")
    told = desk.call("baseline", "history", "gone", "--on", "web1").out
    assert re.search(r"^  █▁  2 looks$", told, re.M)
    assert re.search(r"  new → 404 missing  not there$", told, re.M)
    assert re.search(r"  404 missing → 200 ok  present true$", told, re.M)
    values = desk.call("baseline", "history", "disk", "--on", "web1", "--json").json()["history"][0]["samples"]
    assert [each["code"] for each in values] == [200, 200]
    assert all(each["value"] > 1000 for each in values)
    none = desk.call("baseline", "history", "gon")
    assert (none.exit, "did you mean gone?" in none.err) == (2, True)


def test_a_watch_tells_what_turns(desk: Desk) -> None:
    held = desk.held("web1").parent / "turn"
    held.write_text("")
    said(desk, f", without: [slow], rules: {{gone: {{path: '{held}'}}}}")
    process = desk.started("baseline", "watch", "web1", "--every", "1s")
    assert process.stdout is not None
    assert "1 server: 4 good" in process.stdout.readline()
    held.unlink()
    assert re.search(r"  web1 gone: 200 ok → 404 missing  not there$", process.stdout.readline().rstrip())
    process.terminate()
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out, "Traceback" in err) == (0, "", False)


@pytest.mark.parametrize("every", ["0s", "500ms"])
def test_a_watch_does_not_look_all_the_time(desk: Desk, every: str) -> None:
    done = desk.call("baseline", "watch", "--every", every, "--rounds", "1")
    words = f"baseline watch: '{every}' is too short between two looks; write 1s or more\n"
    assert (done.exit, done.out, done.err) == (2, "", words)


def test_a_watch_tells_when_a_server_is_lost(desk: Desk) -> None:
    said(desk, ", without: [slow, gone]")
    process = desk.started("baseline", "watch", "web1", "--every", "1s")
    assert process.stdout is not None
    assert "1 server: 3 good" in process.stdout.readline()
    desk.lab.kill("web1")
    assert re.search(r"  web1: 200 ok → 503 unreachable  ", process.stdout.readline())
    process.terminate()
    process.communicate(timeout=HANG)
    assert process.returncode == 0


def test_a_server_that_was_lost_is_in_every_form(desk: Desk) -> None:
    """And stays so for who asks the store alone."""
    said(desk, ", without: [slow]")
    desk.call("baseline", "check", "web1")
    desk.lab.kill("web1")
    assert desk.call("baseline", "check", "web1", "-o", "nagios").exit == 2, "unknown never hides critical"
    assert 'name="web1"><failure message="unreachable: ' in desk.call("baseline", "check", "web1", "-o", "junit").out
    sarif = json.loads(desk.call("baseline", "check", "web1", "-o", "sarif").out)["runs"][0]["results"]
    assert [each["ruleId"] for each in sarif] == ["gone", "server"]
    assert desk.call("baseline", "check", "web1", "-o", "tap").out.startswith("TAP version 13\n1..5\n")
    assert "web1: 503 unreachable: " in desk.call("baseline", "status", "web1").out


def test_a_rule_that_is_new_is_not_well_yet(desk: Desk) -> None:
    said(desk, pack="rules: {home: {check: file, path: /tmp}}")
    desk.call("baseline", "check", "web1")
    said(desk, pack="rules: {home: {check: file, path: /tmp}, more: {check: file, path: ~/.}}")
    status = desk.call("baseline", "status", "web1", "-o", "wide")
    assert "505 stale  more" in status.out
    done = desk.call("baseline", "check", "web1", "-o", "wide")
    assert (done.exit, "404" in done.out) == (0, False), "~ is the home of who does the work"


def test_nagios_is_told_what_is_wrong_with_the_line_itself(desk: Desk) -> None:
    said(desk, pack="rules: {a: {check: dsk}}")
    done = desk.call("baseline", "check", "web1", "-o", "nagios")
    assert (done.exit, done.out.startswith("UNKNOWN: site: 1 fault")) == (3, True)


def test_what_is_unknown_is_never_as_wanted(desk: Desk) -> None:
    """Whatever the least is that counts as a problem."""
    said(desk, ", without: [gone]")
    assert desk.call("baseline", "check", "web1", "--fail-on", "critical").exit == 3


def test_a_server_whose_rules_are_not_due_is_asked_whether_it_lives(desk: Desk) -> None:
    said(desk, pack="rules: {home: {check: file, path: /tmp, every: 1d}}")
    assert desk.call("baseline", "check", "web1").exit == 0
    assert desk.call("baseline", "check", "web1").exit == 0
    desk.lab.kill("web1")
    assert "web1: 503 unreachable" in desk.call("baseline", "check", "web1").out


def test_no_remedy_is_applied_to_a_server_in_maintenance(desk: Desk) -> None:
    held = desk.held("web1").parent / "made"
    remediable(desk, "touch", str(held))
    desk.call("baseline", "check", "web1")
    desk.call("topology", "maintenance", "web1", "--for", "1h", "--because", "its disk")
    done = desk.call("baseline", "remedy", "web1", "--yes")
    assert ("nothing to remedy" in done.out, held.exists()) == (True, False)


def test_a_pool_with_a_quorum_is_critical_only_below_it(desk: Desk) -> None:
    said(desk, ", without: [slow, gone], quorum: 1")
    done = desk.call("baseline", "check", "@health")
    assert "pool health: 200 ok (2 of 2 members work, quorum 1)" in done.out
    said(desk, ", without: [slow], quorum: 50%")
    done = desk.call("baseline", "check", "@health")
    assert "pool health: 400 crit limit (0 of 2 members work, quorum 1)" in done.out
    assert desk.call("baseline", "check", "@health", "-o", "nagios").exit == 2


def test_what_is_not_known_is_counted_as_that(desk: Desk) -> None:
    """And a pool of members of which nothing is known is not known either."""
    said(desk, ", without: [slow, gone], quorum: 1")
    never = desk.call("baseline", "status", "@health")
    assert never.exit == 3
    assert "pool health: 505 stale (0 of 2 members work, quorum 1)" in never.out
    assert "nothing is known yet of web[1-2]: `multiall baseline check` looks\n" in never.out
    assert never.out.endswith("2 servers: 2 not looked at yet; the worst is 505 stale\n")
    assert desk.call("baseline", "status", "@health", "-o", "nagios").exit == 3
    for name in ("web1", "web2"):
        desk.lab.kill(name)
    lost = desk.call("baseline", "check", "@health")
    assert lost.exit == 3
    assert lost.out.endswith("2 servers: 2 unreachable; the worst is 503 unreachable\n")
    status = desk.call("baseline", "status", "@health").out
    assert re.search("^web1: 503 unreachable: (?!unreachable)", status, re.M)
    assert "multiall baseline check" not in status, "it has looked"


def interrupted(desk: Desk, *words: str) -> tuple[int, str]:
    """The exit code and the output of a check that gets its Ctrl-C while the first of its members is looked at."""
    gate = Gate.make(desk.folder)
    said(desk, pack=f"commands: true\nrules: {{gate: {{check: command, argv: [sh, -c, '{gate.script}']}}}}\n")
    health = desk.site / "inventory" / "health.yaml"
    health.write_text(health.read_text().replace("web[1-2]", "web[1-4]"))
    process = desk.started("baseline", "check", "--parallel", "1", *words)
    gate.wait()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.readline()
    gate.let()
    out, err = process.communicate(timeout=HANG)
    assert "Traceback" not in err
    return process.returncode, out


@pytest.mark.parametrize("words", [(), ("--json",), ("-o", "ndjson"), ("-o", "junit"), ("-o", "prometheus")])
def test_a_check_that_is_interrupted_is_not_whole(desk: Desk, words: tuple[str, ...]) -> None:
    code, out = interrupted(desk, *words)
    assert code == 130
    if not words:
        assert "1 server: 1 good; the worst is 200 ok\n" in out
        assert out.endswith("interrupted before all members were looked at; not looked at: web[2-4]\n")


def test_a_plugin_that_is_interrupted_knows_nothing(desk: Desk) -> None:
    """Its exit codes have a table of their own."""
    code, out = interrupted(desk, "-o", "nagios")
    assert (code, out.startswith("UNKNOWN: 0 problems on 1 server; web2 not looked at")) == (3, True)


def test_status_tells_why_a_server_could_not_be_read_as_the_check_did(desk: Desk) -> None:
    said(desk, ", without: [slow, gone]")
    broken = desk.lab.home("web1") / "bin" / "python3"
    broken.parent.mkdir(exist_ok=True)
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    try:
        check = desk.call("baseline", "check", "web1")
    finally:
        broken.unlink()
    status = desk.call("baseline", "status", "web1")
    assert (check.exit, status.exit, status.out) == (3, 3, check.out)
    assert status.out.endswith("1 server: 1 collect error; the worst is 500 collect error\n")


def test_the_topology_knows_who_is_unwell(desk: Desk) -> None:
    """Who is critical is given no work, and copies on members say so."""
    said(desk, ", without: [slow], rules: {gone: {severity: warning}}")
    desk.call("topology", "scan")
    desk.call("baseline", "check", "web1")
    told = desk.call("topology", "show", "--json").json()
    assert (told["health"]["web1"]["code"], told["serving"]["health"]) == (300, ["web1", "web2"])
    said(desk, ", without: [slow]")
    desk.call("baseline", "check", "web1")
    told = desk.call("topology", "show", "--json").json()
    assert (told["health"]["web1"]["code"], told["serving"]["health"]) == (404, ["web2"])
    assert re.search(r"^web1 +up, 404 missing ", desk.call("topology", "show").out, re.M)
    desk.lab.kill("web1")
    desk.call("baseline", "check", "web1")
    assert desk.call("topology", "show", "--json").json()["serving"]["health"] == ["web2"], "that did not make it well"


def test_forms_that_other_programs_read(desk: Desk) -> None:
    said(desk, ", without: [slow]")
    nagios = desk.call("baseline", "check", "web1", "-o", "nagios")
    assert (nagios.exit, nagios.out.startswith("CRITICAL: 1 problem on 1 server; web1 gone 404 missing")) == (2, True)
    assert re.search(r" \| 'web1\.disk'=[0-9]+;;1000:$", nagios.out.splitlines()[0])
    tap = desk.call("baseline", "check", "web1", "-o", "tap").out
    assert tap.startswith("TAP version 13\n1..4\n")
    assert "not ok 4 - web1 gone" in tap
    metrics = desk.call("baseline", "check", "web1", "-o", "prometheus").out
    assert 'multiall_baseline_status{server="web1",rule="gone"} 404\n' in metrics
    sarif = json.loads(desk.call("baseline", "check", "web1", "-o", "sarif").out)["runs"][0]["results"]
    assert [each["ruleId"] for each in sarif] == ["gone"]
    place = sarif[0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("rules/own.yaml", 6)
    table = desk.call("baseline", "check", "web1", "-o", "markdown").out
    assert "| 404 missing | `gone` | `web1` | `not there` |  |" in table


def test_packs_are_tried_on_their_examples(desk: Desk) -> None:
    said(desk)
    none = desk.call("baseline", "test", "own")
    assert (none.exit, none.out.count("it has no example under `tests:`")) == (10, 5)
    pack = "rules: {l: {check: load, five: [2, 4]}}\ntests: {l: {good: {five: 1}, bad: [{five: 3}, {five: 1}]}}\n"
    said(desk, pack=pack)
    done = desk.call("baseline", "test", "own")
    assert (done.exit, "3 examples: 2 as wanted, 1 not" in done.out) == (10, True)
    assert re.search(r"^own +l +bad 2 +200 ok +five 1$", done.out, re.M)
    assert "did you mean own?" in desk.call("baseline", "test", "won").err


def test_every_shipped_pack_does_what_it_should(desk: Desk) -> None:
    """Each rule has examples, good and bad; all packs suit one server; each could be a site's own."""
    shipped = {path.stem: path for path in (ROOT / "rules").glob("*.yaml") if path.stem != "guards"}
    assert set(shipped) == {"bind9", "linux", "mariadb", "postgres", "ssh-hardening", "web"}
    (desk.site / "inventory" / "health.yaml").write_text(
        f"pools: {{health: {{members: web1, baseline: [{', '.join(sorted(shipped))}]}}}}\n"
    )
    tried = desk.call("baseline", "test", "--json")
    assert tried.exit == 0, tried.out
    examples: dict[str, set[str]] = {}
    for each in tried.json()["examples"]:
        examples.setdefault(each["rule"], set()).add(each["example"].split()[0])
    rules = {
        rule: words for path in shipped.values() for rule, words in yaml.safe_load(path.read_text())["rules"].items()
    }
    assert examples == {rule: {"good", "bad"} for rule in rules}
    assert all(words.get("title") for words in rules.values())
    assert desk.call("baseline", "lint").out == "nothing odd\n"
    (desk.site / "rules").mkdir(exist_ok=True)
    for path in shipped.values():
        shutil.copy(path, desk.site / "rules")
    faults = desk.call("inventory", "check")
    assert faults.exit == 0, faults.err


def test_what_is_odd(desk: Desk) -> None:
    said(desk, ", without: [slwo]")
    done = desk.call("baseline", "lint")
    assert done.exit == 10
    assert "inventory/health.yaml:1:9: the pool health leaves out slwo, which it would not have; did you" in done.out
    said(desk)
    assert desk.call("baseline", "lint").out == "nothing odd\n"


def test_two_pools_that_contradict_each_other(desk: Desk) -> None:
    said(desk)
    path = desk.site / "inventory" / "more.yaml"
    path.write_text("pools: {more: {members: web1, rules: {disk: {check: disk, path: /, free: 2kB}}}}\n")
    done = desk.call("inventory", "check")
    assert (
        done.exit,
        "contradicts rules/own.yaml:5:" in done.err,
    ) == (
        2,
        True,
    )
    path.write_text(path.read_text().replace("more: {m", "more: {priority: 1, m"))
    assert desk.call("inventory", "check").exit == 0


def remediable(desk: Desk, *words: str) -> Path:
    """A rule that fails on two servers until its remedy has made a file; the file of the first."""
    held = desk.held("web1").parent / "made"
    remedy = ", ".join(f"'{word}'" for word in words)
    said(desk, pack=f"commands: true\nrules: {{made: {{check: file, path: '{held}', remedy: [run, {remedy}]}}}}\n")
    return held


def test_a_remedy_is_applied_once_and_journalled(desk: Desk) -> None:
    held = desk.held("web1").parent / "made"
    remediable(desk, "touch", str(held))
    dry = desk.call("baseline", "remedy", "web1", "--dry-run")
    assert (dry.exit, held.exists()) == (10, False)
    assert re.search(r"^web1 +made +404 missing +not there +run touch ", dry.out, re.M)
    unasked = desk.call("baseline", "remedy", "web1")
    assert (unasked.exit, "add --yes" in unasked.err) == (2, True)
    done = desk.call("baseline", "remedy", "web1", "--yes")
    assert (done.exit, held.exists()) == (0, True)
    assert "1 of 1 remedy helped; run " in done.out
    run = desk.call("journal", "list", "--json").json()["runs"][0]
    told = desk.call("journal", "show", run["id"], "--json").json()
    (entry,) = told["entries"]
    assert (run["verb"], run["result"], entry["stage"], entry["key"]) == ("remedy", 0, "done", "made")
    again = desk.call("baseline", "remedy", "web1", "--yes")
    held.unlink()
    assert (again.exit, again.out) == (0, "nothing to remedy: no rule that declares a remedy fails\n")


def test_what_still_fails_while_its_remedy_cools_down_is_told(desk: Desk) -> None:
    held = desk.held("web1").parent / "made"
    remediable(desk, "touch", str(held))
    assert desk.call("baseline", "remedy", "web1", "--yes").exit == 0
    held.unlink()
    waits = r"^web1 made still fails; its remedy was applied \d+ s ago and is not applied again before \d{4}-.*:\d\d$"
    for words in (("--yes",), ("--dry-run",)):
        done = desk.call("baseline", "remedy", "web1", *words)
        assert (done.exit, bool(re.search(waits, done.out, re.M)), "nothing" in done.out) == (3, True, False)
        (cooling,) = desk.call("baseline", "remedy", "web1", *words, "--json").json()["cooling"]
        assert (cooling["remedy"]["server"], cooling["remedy"]["rule"]) == ("web1", "made")
        assert cooling["until"] - cooling["applied"] == 900.0
    assert desk.call("baseline", "remedy", "web[1-2]", "--dry-run").exit == 10, "there is something to be done"
    done = desk.call("baseline", "remedy", "web[1-2]", "--yes")
    held.unlink()
    assert (done.exit, "1 of 1 remedy helped" in done.out, bool(re.search(waits, done.out, re.M))) == (3, True, True)


def test_a_server_that_cannot_be_looked_at_may_need_a_remedy_too(desk: Desk) -> None:
    held = desk.held("web1").parent / "made"
    remediable(desk, "touch", str(held))
    desk.lab.kill("web2")
    dry = desk.call("baseline", "remedy", "web2", "--dry-run")
    assert (dry.exit, "web2 could not be looked at: " in dry.out) == (3, True)
    done = desk.call("baseline", "remedy", "web[1-2]", "--yes")
    assert (done.exit, held.exists()) == (3, True)
    held.unlink()
    assert "1 of 1 remedy helped" in done.out
    assert [*desk.call("baseline", "remedy", "web2", "--dry-run", "--json").json()["unseen"]] == ["web2"]


def test_a_remedy_that_does_not_help_is_not_tried_on_others(desk: Desk) -> None:
    remediable(desk, "false")
    done = desk.call("baseline", "remedy", "web[1-2]", "--yes")
    assert done.exit == 3
    assert "0 of 2 remedies helped; 1 remedy left alone, since one did not help" in done.out
    assert re.search(r"^web1 +made +run false +failed +exit 1$", done.out, re.M)
    remediable(desk, "true")
    told = desk.call("baseline", "remedy", "web1", "--yes").out
    assert "it was done, and the rule still fails" in told


def test_a_rollout_waits_until_its_batch_is_well(desk: Desk) -> None:
    """The gate opens where all is well, and stays closed where it is not; nothing more is changed then."""
    said(desk)
    (desk.site / "inventory" / "health.yaml").unlink()
    gate = "rollout: {batch: [1], gate: {stable: 2, every: 1ms, within: %s}}\nbaseline: [own]\nwithout: [%s]"
    desk.declare(pool=gate % ("5s", "gone, slow"))
    assert desk.call("pool", "sync", "web", "--yes").exit == 0
    (desk.tree / "a.txt").write_text("changed")
    desk.declare(pool=gate % ("2ms", "slow"))
    done = desk.call("pool", "sync", "web", "--yes")
    assert done.exit == 4
    assert "stopped: the gate is closed: web1: gone 404 missing (not there); 3 members left as before" in done.out
    (desk.tree / "a.txt").write_text("again")
    desk.declare(pool="rollout: {batch: [1], gate: {stable: 1, every: 1ms, within: 2ms}}")
    blind = desk.call("pool", "sync", "web", "--yes")
    assert (blind.exit, "web1: it has no baseline rules" in blind.out) == (4, True)


def test_what_a_sync_would_change_is_a_check_without_a_rule(desk: Desk) -> None:
    desk.declare()
    done = desk.call("baseline", "check", "web1")
    assert done.exit == 10
    assert re.search(rf"^303 drift +files:~/{desk.there} +web1 +changes \d+ +< 1$", done.out, re.M)
    assert f"files:~/{desk.there}: multiall pool sync web" in done.out
    assert desk.call("baseline", "check", "web1", "--no-drift").exit == 10, "it is as it was seen last"
    desk.call("pool", "sync", "web", "--yes")
    assert desk.call("baseline", "check", "@web").exit == 0
    (desk.tree / "a.txt").write_text("other")
    desk.call("baseline", "waive", "files:*", "--on", "@web", "--for", "1h", "--because", "a freeze")
    waived = desk.call("baseline", "check", "web1", "-o", "wide")
    assert (waived.exit, "104 exempt" in waived.out) == (0, True)
    desk.lab.kill("web1")
    lost = desk.call("baseline", "check", "web1", "--json").json()["servers"][0]
    assert (lost["code"], [each["code"] for each in lost["statuses"]]) == (503, [104])


def test_drift_is_from_what_the_pool_whose_claim_holds_declares(desk: Desk) -> None:
    """Two pools claim one path on one server: the one with the lower priority says nothing of it."""
    desk.declare()
    other = desk.site / "trees" / "other"
    other.mkdir()
    (other / "b.txt").write_text("other")
    tree = f"[{{path: ~/{desk.there}, source: ./trees/other, delete: true}}]"
    more = desk.site / "inventory" / "more.yaml"
    more.write_text(f"pools: {{zzz: {{members: web1, priority: 5, files: {tree}}}}}\n")
    assert desk.call("pool", "sync", "zzz", "--yes").exit == 0
    told = desk.call("baseline", "check", "web1", "--json").json()["servers"][0]["statuses"]
    assert [each["code"] for each in told] == [200]
    more.write_text(f"pools: {{zzz: {{members: web1, priority: -5, files: {tree}}}}}\n")
    told = desk.call("baseline", "check", "web1", "--json").json()["servers"][0]["statuses"]
    assert [each["code"] for each in told] == [303]


def test_a_source_that_cannot_be_read_is_unknown(desk: Desk) -> None:
    desk.declare()
    for each in desk.tree.iterdir():
        each.unlink()
    desk.tree.rmdir()
    told = desk.call("baseline", "check", "web1", "--json").json()["servers"][0]["statuses"]
    assert [each["code"] for each in told] == [500]


def test_a_pack_is_learnt_of_servers_that_are_well(desk: Desk) -> None:
    """And those servers are well by it."""
    done = desk.call("baseline", "learn", "web[1-2]")
    assert (done.exit, done.err) == (0, "")
    assert done.out.startswith("# Learnt of web[1-2]: ")
    assert re.search(r"^  mount\.root:$", done.out, re.M)
    said(desk, pack=done.out)
    (desk.site / "inventory" / "health.yaml").write_text(
        "pools: {health: {members: 'web[1-2]', baseline: [own], rules: {disk.root: {used: 99.9%}}}}\n"
    )
    told = desk.call("baseline", "check", "web[1-2]", "--json").json()["servers"]
    assert {each["code"] for server in told for each in server["statuses"]} == {200}
    desk.lab.kill("web2")
    file = desk.folder / "learnt.yaml"
    assert f" rules written to {file}" in desk.call("baseline", "learn", "web1", "--to", str(file)).out
    again = desk.call("baseline", "learn", "web1", "--to", str(file))
    assert (again.exit, "name a file that is not there" in again.err) == (2, True)
    lost = desk.call("baseline", "learn", "web[1-2]")
    assert (lost.exit, lost.out.startswith("# Learnt of web1: "), lost.err.startswith("web2: ")) == (3, True, True)


def test_a_pack_that_cannot_be_learnt_is_not_written(desk: Desk) -> None:
    nowhere = desk.call("baseline", "learn", "web1", "--to", str(desk.folder / "none" / "x.yaml"))
    assert (nowhere.exit, "its folder is not there; make it, or name another" in nowhere.err) == (2, True)
    desk.lab.kill("web1")
    file = desk.folder / "x.yaml"
    lost = desk.call("baseline", "learn", "web1", "--to", str(file))
    assert (lost.exit, lost.out, file.exists()) == (3, "", False)
    assert lost.err.endswith(f"nothing was learnt, and {file} was not written\n")
    printed = desk.call("baseline", "learn", "web1")
    assert (printed.exit, printed.out, printed.err.endswith("nothing was learnt\n")) == (3, "", True)
    assert desk.call("baseline", "learn", "web1", "--json").json()["servers"] == []


def test_rules_of_servers(desk: Desk) -> None:
    said(desk)
    told = desk.call("baseline", "rules").out
    assert re.search(r"^home +file +a folder +web\[1-2\]$", told, re.M)
    assert (
        desk.call("baseline", "rules", "web3").out == "no server has rules: pools take packs with `baseline: [linux]`\n"
    )


def test_what_there_is(desk: Desk) -> None:
    said(desk)
    assert re.search(r"^own +5 +health$", desk.call("baseline", "packs").out, re.M)
    assert re.search(r"^linux +12 +none$", desk.call("baseline", "packs").out, re.M)
    assert "certificate: Certificates: all of" in desk.call("baseline", "checks").out
    assert re.search(r"^404 +missing +not there, and should be +2$", desk.call("baseline", "codes").out, re.M)


@pytest.mark.parametrize(
    ("pack", "says"),
    [
        ("rules: {a: {check: dsk, path: /}}", "rules/own.yaml:1:20: there is no check 'dsk'; did you mean disk?"),
        (
            "rules: {a: {check: disk, path: /, used: 90}}",
            "rules/own.yaml:1:41: 'used' is '90'; write a share such as 90%",
        ),
        ("rules: {'a b': {check: load, five: 4}}", "'a b' is not a valid rule name"),
        ("rules: [1]", "rules/own.yaml:1:8: "),
        (
            "rules: {a: {check: command, argv: [ls]}}",
            "rules/own.yaml:1:20: the rule a runs a command, but its pack does not allow commands",
        ),
        ("rules: {a: {check: load, five: 4, often: 5 of 3}}", "'often' is '5 of 3'; write such as '3 of 5'"),
        ("rules: {a: {check: load, same: [six]}}", "the check load shows no 'six'"),
        ("rules: {a: {check: load, five: 4, remedy: [reboot]}}", "'remedy' is 'reboot'; write [restart, SERVICE]"),
        ("rules: {a: {check: [command], argv: [ls]}}", "'check' is a list; write one value"),
        ("rules: {a: {check: load, five: 4, remedy: [run, ls]}}", "the rule a runs a command"),
        ("rules: {a: {check: drift, agent: x}}", "no rule asks for drift; take it out: it is checked without one"),
        ("tests: {a: {good: {five: 4}}}", "'bad' is missing"),
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
    assert "unknown pack 'linus'; did you mean linux?" in desk.call("inventory", "check").err


def test_a_pack_without_rules(desk: Desk) -> None:
    """A file that is just being written is in no one's way; a pool that takes it would be held to be well."""
    said(desk)
    (desk.site / "rules" / "next.yaml").write_text("")
    assert desk.call("inventory", "check").exit == 0
    path = desk.site / "inventory" / "health.yaml"
    path.write_text(path.read_text().replace("[own]", "[next]"))
    assert "the pack 'next' has no rules; write rules into it" in desk.call("inventory", "check").err


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
    assert re.search(r"^recent false \(the version is .*; at least 999:1 is required\)$", told["old"]["shows"])
    assert told["clock"]["code"] in (200, 300)
