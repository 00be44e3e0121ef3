"""multiall.yaml and rules/guards.yaml: settings that can be used, or every fault with its place."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.adapters.site.read import GUARDS, SETTINGS, read_site
from multiall_cli.domain.errors import InputFaults
from tests.fixtures.desk import called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS, YAML, as_text, mutated, nasty, reshaped
from tests.fuzz.verdict import are_there, ended_well

SETTING = "parallel: 32\nconnect_timeout: 10s\ntimeout: 1.5\nstore: ./state\nnetwork: /run/x\n"
GUARD = "guards:\n  deletions: {share: 30%, at_least: 10}\n  changes: {share: 5%}\n  empties:\n    at_least: 1\n"
TIMES = ("0s", "1e9", "0.0001s", "1000000h", "10 s", "٣s", "1.s", ".5", "0x10", "0.5ms", "-1s", "1e-320", "007")
SHARES = ("0%", "101%", "007%", "99999%", "%", "٣%", "1.5%", "1e1%")

values = st.one_of(nasty, st.sampled_from([*TIMES, *SHARES]), st.floats(), st.integers())
settings_trees = reshaped(({"parallel": 1, "connect_timeout": "10s", "timeout": 60, "store": "~/x"},), values)
guards_trees = reshaped(({"guards": {"deletions": {"share": "30%", "at_least": 9}, "empties": {}}},), values)
words = (*SIGNS, *YAML, *RANGES, *TIMES, *SHARES)
setting = st.one_of(mutated((SETTING,), words), settings_trees.map(as_text))
guards = st.one_of(mutated((GUARD,), words), guards_trees.map(as_text))


def _read(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    try:
        site = read_site(root)
    except InputFaults as told:
        assert told.faults
        are_there(told.faults, files)
        return
    found = site.settings
    assert 1 <= found.parallel <= 1024
    assert all(math.isfinite(each) and each > 0 for each in (found.timeout, found.connect_timeout))
    assert all(0 <= limit.share <= 1 and limit.at_least >= 1 for limit in site.guards.values())


@cases(900)
@given(setting)
def test_any_settings_can_be_used_or_are_told(own_place: Path, content: bytes) -> None:
    _read(own_place, {SETTINGS: content})


@cases(700)
@given(guards)
def test_any_guards_can_be_used_or_are_told(own_place: Path, content: bytes) -> None:
    _read(own_place, {GUARDS: content})


@cases(60)
@given(setting, guards)
def test_the_command_line_says_the_faults_of_both(own_place: Path, content: bytes, rules: bytes) -> None:
    for name, text in ((SETTINGS, content), (GUARDS, rules)):
        (own_place / name).parent.mkdir(exist_ok=True)
        (own_place / name).write_bytes(text)
    ended_well(called(["--site", str(own_place), "inventory", "check"]))
