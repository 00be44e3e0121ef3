"""What a cache holds may be of another shape than this release's: then it is as if nothing were there."""

import json
import zlib
from dataclasses import dataclass
from typing import Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.agents.files.agent import recall_deployed
from multiall_cli.agents.files.comparison_cache import CachedComparison
from multiall_cli.agents.files.digests import load
from multiall_cli.agents.files.scan_client import recall_records
from multiall_cli.agents.zones.state import DEPARTURES, ZoneState, last_result
from multiall_cli.engine.publish import standing

ODD = (None, True, 1, 1.5, "x", [], {}, [1], [[]], {"a": 1}, {"a": [1, None]}, ["x", {}, {}], ["0" * 64, 3, []],
       [1, 2, 3, 4], ["a", "b", "c", [1]], {"inputs": 1, "at": "x", "serial": [], "ours": None},
       [1, "x", 5])  # fmt: skip
_odd = st.sampled_from(ODD).map(lambda each: json.dumps(each).encode("ascii")) | st.binary(max_size=40)


@dataclass(frozen=True)
class Held:
    """A store whose cache and agent states have one value under every key."""

    value: bytes

    @property
    def cache(self) -> Self:
        return self

    @property
    def states(self) -> Self:
        return self

    def get(self, *key: str) -> bytes | None:
        return self.value

    def put(self, *saved: object) -> None:
        raise NotImplementedError


def summed(head: bytes, rest: bytes) -> bytes:
    value = len(head).to_bytes(4, "big") + head + rest
    return zlib.crc32(value).to_bytes(4, "big") + value


@example(json.dumps(["0" * 64, 3, []]).encode("ascii"), zlib.compress(b""))
@given(_odd, st.binary(max_size=30) | st.binary(max_size=30).map(zlib.compress))
def test_a_look_whose_sum_is_right_and_whose_shape_is_not(head: bytes, rest: bytes) -> None:
    assert recall_records("web1", summed(head, rest)) is None
    assert recall_records("web1", rest) is None


def test_a_look_that_is_whole_is_known_again() -> None:
    kept = summed(json.dumps(["0" * 64, {"0": "root"}, {}]).encode("ascii"), zlib.compress(b""))
    found = recall_records("web1", kept)
    assert found is not None
    assert (found.digest, found.users) == ("0" * 64, {0: "root"})


@given(_odd | _odd.map(zlib.compress))
def test_every_other_memory(value: bytes) -> None:
    held = Held(value)
    assert all(isinstance(each, bytes) for each in load(value))
    assert all(len(each) == 64 for each in load(value).values())
    told = ZoneState.read(lambda part: None if part == DEPARTURES else value, 0.0).members
    assert told is None or all(isinstance(each, str) for places in told.values() for each in places)
    CachedComparison.recall("x", held)
    standing(held)  # type: ignore[arg-type]
    assert isinstance(recall_deployed(value), dict)
    assert last_result(value) is None or set(json.loads(value)) >= {"inputs", "at"}


@pytest.mark.parametrize("told", ODD)
def test_what_a_zone_was_like_is_known_or_not(told: object) -> None:
    assert last_result(json.dumps(told).encode("ascii")) is None
    known = {"serial": 1, "ours": 2, "inputs": "x", "at": 1.5}
    assert last_result(json.dumps(known).encode("ascii")) == known
