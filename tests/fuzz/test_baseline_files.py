"""Packs of rules, windows and dependencies: whatever they hold, they can be used, or every fault has its place."""

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.baseline import FactValue
from multiall_cli.domain.errors import InputFaults, Origin
from multiall_cli.planning.evaluate import Circumstances, evaluate
from multiall_cli.planning.rule_tests import trials
from multiall_cli.planning.rules import rules_of
from multiall_cli.planning.windows import promised
from tests.fixtures.desk import called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS, YAML, as_text, mutated, nasty, reshaped
from tests.fuzz.verdict import are_there, ended_well

INVENTORY = "servers: {web1: , hv1: }\npools: {web: {members: '*', baseline: [own]}}\n"
PACK = """\
commands: true
tests: {up: {good: {age: 1d}, bad: [{age: 1m}]}}
rules:
  disk.root: {check: disk, path: /, used: [80%, 90%], clear: 75%, for: 5m, severity: warning, needs: [up]}
  up: {check: uptime, age: 10m}
  page: {check: http, url: 'http://localhost/', match: '^(a|b)+$', took: [500ms, 2s], status: 200}
  key: {check: file, path: /etc/x, mode: '0600', owner: root, match: "x", size: 1kB..2MiB, sha256: ab}
  run: {check: command, argv: [a, b], exit: 3}
  no: {check: package, name: telnetd, present: false, remedy: [run, apt-get, -y, remove, telnetd], every: 1h}
  same: {check: file, path: /etc/y, same: [sha256, mode], often: '3 of 5'}
"""
TREE = {
    "commands": True,
    "tests": {"load": {"good": {"five": 1}, "bad": [{"five": 5}, {"five": -1}]}},
    "rules": {
        "disk": {"check": "disk", "path": "/", "used": ["80%", "90%"], "clear": "75%", "for": "5m", "needs": ["load"]},
        "load": {"check": "load", "five": 4, "severity": "critical"},
        "run": {"check": "command", "argv": ["a", "b"], "exit": 0, "do": "x", "title": "y"},
    },
}
WINDOWS = """\
servers:
  hv1: {windows: [{at: '0 2 * * sun', lasts: 2h, zone: Europe/Zurich, because: patches, what: drain}]}
  web1: {depends_on: [hv1], rules: {disk: {check: disk, path: /, used: 90%}}, without: [a],
         except: {'disk.*': {until: '2030-01-01T00:00+01:00', because: x}}}
pools:
  web: {members: web1, windows: [{at: '*/5 1-4 1 * *', lasts: 59s, zone: UTC, because: x}],
        baseline: [linux], quorum: 50%}
"""
AMOUNTS = (
    "101%",
    "-1%",
    "1e9",
    "9" * 400,
    "٣%",
    "5 m",
    "1h30m",
    "2 GiB",
    "(((((",
    "a{9999999}",
    "* * * * *",
    "0 0 30 2 *",
)
WORDS = (*SIGNS, *YAML, *RANGES, *AMOUNTS)
NOW = 1_800_000_000.0

packs = st.one_of(mutated((PACK,), WORDS), reshaped((TREE,), st.one_of(nasty, st.sampled_from(AMOUNTS))).map(as_text))


def _read(root: Path, files: dict[str, bytes]) -> None:
    """All that is made of a site's rules and windows, or the faults, each in a file that is there."""
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    told: list[Origin] = []
    try:
        site = read_site(root)
    except InputFaults as faults:
        assert faults.faults
        are_there(faults.faults, files)
        return
    for name in list(site.inventory.servers)[:3]:
        rules = rules_of(site.inventory, site.packs, name, lambda origin, what, todo: told.append(origin))
        readings = {rule.fact: FactValue({"used": 0.5, "present": True}) for rule in rules}
        built = {rule.id: rule for rule in rules}
        list(trials("own", built, site.examples.get("own", {})))
        statuses, _ = evaluate(name, rules, readings, {}, Circumstances(NOW))
        assert len(statuses) == len(rules)
    assert all(each.ends > NOW for each in promised(site.inventory, NOW))


@cases(1200)
@given(packs)
@example(b"rules: {a: {check: [disk], path: /}}")
@example(b"rules: {a: {check: load, five: 4, needs: [a]}}")
def test_any_pack_is_rules_or_faults_with_their_places(own_place: Path, content: bytes) -> None:
    _read(own_place, {"inventory/site.yaml": INVENTORY.encode(), "rules/own.yaml": content})


@cases(600)
@given(mutated((WINDOWS,), WORDS))
def test_any_windows_hold_or_are_faults_with_their_places(own_place: Path, content: bytes) -> None:
    _read(own_place, {"inventory/site.yaml": content})


@cases(60)
@given(packs, st.sampled_from(["table", "json", "yaml", "junit"]))
def test_the_command_line_says_the_faults_of_rules(own_place: Path, content: bytes, form: str) -> None:
    for name, text in (("inventory/site.yaml", INVENTORY.encode()), ("rules/own.yaml", content)):
        (own_place / name).parent.mkdir(exist_ok=True)
        (own_place / name).write_bytes(text)
    ended_well(called(["--site", str(own_place), "-o", form, "baseline", "explain", "web1"]))
