"""What members are given of the topology, when, and which copies hold."""

import json
from dataclasses import replace

import pytest

from multiall_cli.domain.publication import LastPublished
from multiall_cli.domain.topology import Downtime, DowntimeKind, Event, Round, State, Topology, Verdict
from multiall_cli.planning.publication import canonical, due, read, said, snapshot, verified, written

TOPOLOGY = Topology(
    100.0,
    "adm",
    {"a": Verdict("a", State.UP, 1.0), "b": Verdict("b", State.DOWN, 2.0, "silent")},
    {"a": [Downtime("a", DowntimeKind.DRAIN, 0.0, 500.0, "jo", "disk")]},
    serving={"web": ()},
)
ROUND = Round(TOPOLOGY, (), 2, 0.1, 20.0)
PATH = "/var/lib/x.json"
LAST = LastPublished(90.0, said(TOPOLOGY, PATH, 60.0))
EVENT = Event(100.0, "b", "up", "down", "window", "b is down")


def test_what_is_said() -> None:
    told = snapshot(TOPOLOGY, 60.0)
    assert (told["at"], told["expires"], told["pools"]) == (100.0, 160.0, {"web": []})
    assert told["servers"] == {
        "a": {"state": "up", "since": 1.0, "planned": {"what": "drain", "until": 500.0, "because": "disk"}},
        "b": {"state": "down", "since": 2.0, "reason": "silent"},
    }


@pytest.mark.parametrize(
    ("round_", "last", "wanted"),
    [
        (ROUND, LAST, False),
        (replace(ROUND, events=(EVENT,)), LAST, True),
        (replace(ROUND, events=(replace(EVENT, before="down"),)), LAST, False),
        (ROUND, replace(LAST, said="else"), True),
        (ROUND, replace(LAST, at=70.0), True),
        (ROUND, replace(LAST, away=("a",)), True),
        (ROUND, replace(LAST, away=("b",)), False),
        (replace(ROUND, topology=replace(TOPOLOGY, frozen="cut off")), LastPublished(), False),
    ],
    ids=["nothing new", "a change", "no change of state", "a word", "old", "back", "still away", "frozen"],
)
def test_when_it_is_due(round_: Round, last: LastPublished, wanted: bool) -> None:
    assert due(round_, last, PATH, 60.0) is wanted


def test_another_path_or_time_is_due_at_once() -> None:
    assert due(ROUND, LAST, "/else", 60.0)
    assert due(ROUND, LAST, PATH, 61.0)


def test_what_is_written_can_be_read() -> None:
    told = snapshot(TOPOLOGY, 60.0)
    assert read(written(told, "key", "signature")) == (told, "key", "signature")
    assert canonical({"b": "é", "a": 1}) == b'{"a":1,"b":"\\u00e9"}'


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", b"[" * 100_000,
        written({"at": "x", "expires": 1}, "k", "s"),
        written({"at": 1, "expires": 1, "format": "else"}, "k", "s"),
        *(written({**snapshot(TOPOLOGY, 1.0), "expires": each}, "k", "s") for each in (True, 1e300, 10**400, -1, "1")),
        b'{"snapshot": {"format": "multiall/topology", "at": NaN, "expires": 1}, "key": "", "signature": ""}',
        json.dumps({"snapshot": snapshot(TOPOLOGY, 1.0), "key": 1, "signature": "s"}).encode(),
    ],
)  # fmt: skip
def test_what_is_none_of_ours(content: bytes) -> None:
    assert read(content) is None


@pytest.mark.parametrize(
    ("ours", "signed", "now", "why"),
    [
        (True, True, 159.0, ""),
        (True, True, 165.0, "it expired 5 s ago"),
        (False, True, 159.0, "another key than ours has signed it"),
        (True, False, 159.0, "its signature is not of what it says"),
    ],
)
def test_which_copies_hold(ours: bool, signed: bool, now: float, why: str) -> None:
    found = verified(snapshot(TOPOLOGY, 60.0), ours=ours, signed=signed, now=now)
    assert (found.holds, found.why, found.vantage) == (not why, why, "adm")
