"""multiall topology, as a user types it: the good way, a dead server, downtimes, drawings, and what is refused."""

import json
import re
import time
import xml.etree.ElementTree as Xml
from datetime import UTC, datetime

import pytest

from multiall_cli.cli.render.diagrams import DRAWINGS
from tests.fixtures.desk import Desk

NAMES = ("web1", "web2", "web3", "web4")


def _states(desk: Desk) -> dict[str, str]:
    told = desk.call("topology", "show", "--json").json()
    return {name: verdict["state"] for name, verdict in told["verdicts"].items()}


def test_a_scan_says_who_is_up_and_is_quiet_where_nothing_changed(desk: Desk) -> None:
    assert _states(desk) == dict.fromkeys(NAMES, "unknown")
    done = desk.call("topology", "scan")
    assert (done.exit, _states(desk)) == (0, dict.fromkeys(NAMES, "up"))
    assert re.search(r"^4 servers: 4 up; \d+ samples in [\d.]+ s; a loss is known 23 s after", done.out, re.M)
    again = desk.call("topology", "scan", "--quiet")
    assert (again.exit, again.out) == (0, "")
    assert desk.call("topology", "show").exit == 0
    assert "web1 is up" in desk.call("topology", "why", "web1").out
    assert "rule answered: who answers is up" in desk.call("topology", "why", "web1").out


def test_who_is_silent_is_told_with_ten(desk: Desk) -> None:
    assert desk.call("topology", "scan", "--quiet").exit == 0
    desk.lab.kill("web2")
    done = desk.call("topology", "scan", "--quiet")
    assert done.exit == 10
    assert "web2 is degraded (its sshd refuses connections)" in done.out
    junit = desk.call("topology", "scan", "-o", "junit")
    failed = [each.get("name") for each in Xml.fromstring(junit.out).iter("testcase") if len(each)]
    assert failed == ["web2"]
    told = desk.call("topology", "events", "--server", "web2", "--json").json()["events"]
    assert [(each["before"], each["after"]) for each in told] == [("up", "degraded"), ("unknown", "up")]
    shown = desk.call("topology", "history", "web2")
    assert re.search(r"^degraded .* its|web2: ", shown.out, re.M)


def test_a_word_has_an_end_and_a_reason_and_can_be_withdrawn(desk: Desk) -> None:
    desk.call("topology", "scan", "--quiet")
    said = desk.call("topology", "maintenance", "web[2-3]", "--for", "1d12h", "--because", "disks\x1b[31m")
    assert said.exit == 0
    assert said.out.count("maintenance until ") == 2
    assert "\x1b" not in said.out
    shown = desk.call("topology", "show")
    assert shown.out.count("up, maintenance") == 2
    desk.lab.kill("web2")
    assert desk.call("topology", "scan", "--quiet", "--no-links").exit == 0, "it need not be up"
    assert desk.call("topology", "undrain", "web2").exit == 0
    assert "nothing had been said" in desk.call("topology", "undrain", "web2").out
    assert desk.call("topology", "scan", "--quiet", "--no-links").exit == 10
    pinned = desk.call("topology", "pin", "web2", "up", "--until", "2099-01-01T00:00Z", "--because", "x")
    assert (pinned.exit, "more than a year" in pinned.err) == (2, True)
    assert desk.call("topology", "pin", "web2", "up", "--for", "1h", "--because", "we know").exit == 0
    assert desk.call("topology", "scan", "--quiet", "--no-links").exit == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("drain", "web1", "--because", "x"), "it must end, and say once when"),
        (("drain", "web1", "--for", "1h", "--until", "2026-01-01", "--because", "x"), "say only one of the two"),
        (("drain", "web1", "--for", "1h"), "no reason is given"),
        (("drain", "web1", "--for", "soon", "--because", "x"), "'soon' is no span of time"),
        (("drain", "web1", "--for", "0s", "--because", "x"), "over before it begins"),
        (("drain", "web1", "--until", "yesterday", "--because", "x"), "'yesterday' is no date and time"),
        (("drain", "web1", "--until", "2020-01-01", "--because", "x"), "over before it begins"),
        (("drain", "web9", "--for", "1h", "--because", "x"), "'web9' matches no server"),
        (("pin", "web1", "sideways", "--for", "1h", "--because", "x"), "neither up nor down"),
        (("why", "web9"), "there is no such server"),
        (("at", "then"), "'then' is no date and time"),
        (("watch", "--every", "often"), "'often' is no span of time"),
        (("watch", "--every", "0s", "--rounds", "1"), "topology watch: '0s' is too short between two looks; write 1s"),
        (("show", "-o", "picture"), "picture"),
        (("links", "-o", "svg"), "svg"),
    ],
)
def test_what_makes_no_sense_is_refused_with_words(desk: Desk, words: tuple[str, ...], says: str) -> None:
    done = desk.call("topology", *words)
    assert done.exit == 2
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("form", list(DRAWINGS))
def test_each_drawing_names_every_server_and_its_state(desk: Desk, form: str) -> None:
    desk.call("topology", "scan", "--quiet")
    done = desk.call("topology", "show", "-o", form)
    assert done.exit == 0
    assert all(name in done.out for name in NAMES)
    if form in ("svg", "graphml"):
        Xml.fromstring(done.out)
    if form == "html":
        assert done.out.startswith("<!doctype html>")
    if form == "prometheus":
        assert 'multiall_server_state{server="web1",state="up"} 1' in done.out.splitlines()


def test_links_and_ways(desk: Desk) -> None:
    desk.call("topology", "scan", "--quiet", "--links")
    assert desk.call("topology", "path", "web1", "web4").out.startswith("web1 → ")
    told = desk.call("topology", "links", "--json").json()["links"]
    assert {(each["observer"], each["target"]) for each in told} >= {("web1", "web2"), ("web2", "web1")}


def test_the_past_can_be_asked_for(desk: Desk) -> None:
    desk.call("topology", "scan", "--quiet")
    before = desk.call("topology", "at", "2020-01-01", "--json").json()["servers"]
    assert {each["state"] for each in before} == {"unknown"}
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    after = desk.call("topology", "at", now, "--json").json()["servers"]
    assert {each["state"] for each in after} == {"up"}
    assert "is yet to come" in desk.call("topology", "at", "2099-01-01").err


def test_watching_prints_what_changes_and_ends_at_ctrl_c(desk: Desk) -> None:
    shown = desk.typed("topology", "watch", "--every", "1s")
    shown.until(r"4 servers: 4 up")
    desk.lab.kill("web3")
    shown.until(r"web3 is degraded")
    shown.type("\x03")
    assert shown.ended() == 0
    once = desk.call("topology", "watch", "--rounds", "1", "-o", "ndjson")
    assert {json.loads(row)["server"] for row in once.out.splitlines()} == set(NAMES)


def test_a_window_of_the_inventory_is_shown_and_is_not_withdrawn(desk: Desk) -> None:
    """web2 is in its window all the time; it cannot be ended where it was not said."""
    path = desk.site / "inventory" / "more.yaml"
    path.write_text(
        "pools: {night: {members: web2, windows: ["
        "{at: '* * * * *', lasts: 59s, zone: Europe/Zurich, because: patches, what: drain}]}}\n"
    )
    assert desk.call("server", "explain", "web2").out.count("drain at '* * * * *' (Europe/Zurich)") == 1
    assert "drain" in desk.call("topology", "show").out
    done = desk.call("topology", "undrain", "web2")
    assert re.search(r"web2: drain holds until .* all the same: patches \(said by the inventory\)", done.out)
    told = desk.call("topology", "show", "--json").json()
    assert told["serving"]["night"] == []


def test_a_pool_that_is_not_whole_is_told(desk: Desk) -> None:
    desk.call("topology", "scan", "--quiet")
    desk.call("topology", "drain", "web1", "--for", "1h", "--because", "x")
    shown = desk.call("topology", "show").out
    assert re.search(r"pool \w+: 3 of 4 members can be given work", shown)
    assert re.search(r'multiall_pool_serving{pool="\w+"} 3', desk.call("topology", "show", "-o", "prometheus").out)
