"""The zone in memory by which plans are tested, held against BIND 9: both do the same with the same messages."""

from contextlib import nullcontext
from pathlib import Path
from random import Random

import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.agents.zones.plan import plan_zone
from multiall_cli.domain.records import Claim, RRset, ZoneContent, ZonePlan
from multiall_cli.domain.zones import BelowMinimum, Zone
from tests.fixtures.bind9 import NAMED, SECRET, servers
from tests.fixtures.zone_model import DOWN, NAME, NOW, UP, ZoneModel, marked, topology
from tests.limits import HANG

STEPS = 400
AT = ("www.example.net.", "api.example.net.", "*.example.net.")
VALUES = {
    "A": ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    "AAAA": ("2001:db8::1", "2001:db8::2", "2001:db8::3"),
    "CNAME": ("web1.example.net.", "web2.example.net.", "web3.example.net."),
    "TXT": ('"a"', '"b"', '"c"'),
}
MEMBERS = ("web1", "web2", "web3")
pytestmark = pytest.mark.skipif(NAMED is None, reason="needs BIND 9")


class Both:
    """A zone at BIND, and the same in memory."""

    def __init__(self, zone: Zone, luck: Random) -> None:
        self.zone, self.luck = zone, luck
        self.servers = DnsServers(lambda secret: SECRET, 5.0, nullcontext)
        content = self.read()
        self.model = ZoneModel(NAME, {place: each for place, each in content.rrsets.items() if place[1] != "SOA"})
        self.plans: list[tuple[ZonePlan, str, str]] = []

    def read(self) -> ZoneContent:
        return self.servers.read(self.zone)

    def by_hand(self) -> None:
        name, kind = self.luck.choice(AT), self.luck.choice([*VALUES])
        values = self.luck.sample(VALUES[kind], self.luck.choice([0, 0, 1, 1 if kind == "CNAME" else 2]))
        message = dns.update.UpdateMessage(NAME, keyring=dns.tsig.Key("multiall", SECRET, "hmac-sha256"))
        message.replace(name, 300, kind, *values) if values else message.delete(name, kind)
        answer = dns.query.tcp(message, "127.0.0.1", port=self.zone.primary.port, timeout=HANG)
        assert answer.rcode() == dns.rcode.NOERROR
        self.model.put(name, kind, *values)

    def plan(self, now: float) -> None:
        looks = {each: self.luck.choice([UP, UP, DOWN]) for each in MEMBERS}
        content = self.read()
        claims = [each for name in AT for each in _claims(self.luck, name)]
        made = plan_zone(self.zone, claims, {}, content, topology(looks, now), now)
        self.plans.append((made, content.soa, self.model.soa))

    def write(self, now: float) -> tuple[bool, bool]:
        plan, soa, soa_of_model = self.plans.pop(self.luck.randrange(len(self.plans)))
        changes = marked(self.zone, plan, now)
        done = self.servers.write(self.zone, changes, soa)
        return len(done.done) == len(changes), self.model.write(self.zone, changes, soa_of_model)


def _claims(luck: Random, name: str) -> list[Claim]:
    found = []
    for kind in luck.choice([[], ["A"], ["A", "AAAA"], ["CNAME"]]):
        values, alias = dict(zip(MEMBERS, VALUES[kind], strict=True)), kind == "CNAME"
        on_floor = BelowMinimum.KEEP if alias else luck.choice([BelowMinimum.KEEP, BelowMinimum.EMPTY])
        ttl = luck.choice([60, 60, 120])
        found.append(Claim((name, kind), NAME, ttl, values, "web", first=alias, on_floor=on_floor))
    return found


def test_the_model_and_bind_do_the_same_with_the_same_messages(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Of two writers who are in each other's way, and a hand that is in theirs: taken or not, the serial moved or not,
    and all records after each step.
    """
    seed = pytestconfig.getoption("randomly_seed", 1)
    with servers(tmp_path, {"example.net": ""}, secondaries=0) as found:
        both, now, taken, refused = Both(found.zone(), Random(seed)), NOW, 0, 0
        for number in range(STEPS):
            now, where = now + 30, f"seed {seed}, step {number}"
            before, serial = both.read().serial, both.model.serial
            step = both.luck.choice(["hand", "plan", "plan", "write", "write"])
            if step == "hand":
                both.by_hand()
            elif step == "plan" or not both.plans:
                both.plan(now)
            else:
                at_bind, in_memory = both.write(now)
                assert at_bind == in_memory, where
                taken, refused = taken + at_bind, refused + (not at_bind)
            content = both.read()
            there: dict[tuple[str, str], RRset] = {
                place: each for place, each in content.rrsets.items() if place[1] != "SOA"
            }
            assert there == both.model.rrsets, where
            assert (content.serial != before) == (both.model.serial != serial), where
        assert min(taken, refused) > STEPS // 40, where
