"""What must hold for any zone, any claims, any topology and any hand or writer in between."""

import pytest

from multiall_cli.domain.records import Claim, Place
from tests.fixtures.zone_model import NAME, NOW, UP, ZONE, ZoneModel, marked, planned, synced, topology

CALM = topology({"web1": UP, "web2": UP, "web3": UP})
NEXT = NOW + 3600.0
WWW: Place = ("www.example.net.", "A")
ALIAS: Place = ("www.example.net.", "CNAME")
OWN = Claim(WWW, NAME, 60, {"web1": "192.0.2.1"}, "web")
ALIASED = Claim(ALIAS, NAME, 60, {"web1": "web1.example.net."}, "web", first=True)


@pytest.mark.parametrize("before", [None, OWN])
@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT"])
def test_what_a_hand_puts_at_a_name_before_an_alias_comes_there_lets_its_update_fail(
    before: Claim | None, kind: str
) -> None:
    """Else the name server passed over the alias, and took its mark."""
    zone = ZoneModel()
    if before:
        synced(zone, [before], CALM)
    plan, soa = planned(zone, [ALIASED], CALM, NEXT), zone.soa
    zone.put(WWW[0], kind, "x")
    there = dict(zone.rrsets)
    assert not zone.write(ZONE, marked(ZONE, plan, NEXT), soa)
    assert zone.rrsets == there
