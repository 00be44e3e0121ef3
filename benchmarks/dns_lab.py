"""Names of lab hosts: from a loss of power to changed answers, and large files: `python -m benchmarks.dns_lab`."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from statistics import median

import dns.exception
import dns.message
import dns.query

from benchmarks.ground import Ground, ground
from benchmarks.race import Failed, keep
from multiall_cli.adapters.network_namespace import NetworkNamespace
from multiall_cli.lab.real.faults import FaultKind
from tests.fixtures.bind9 import SECRET

HOSTS = 30
SERVERS = ("web1", "web2", "web3")
LOSSES = 10
FAST = {"every": "1s", "timeout": "500ms", "confirm_after": "3s"}
LARGE = 100_000
LIMIT = 120.0  # seconds after which what is awaited will not come
HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n"
CONF = """\
options {{ directory "/var/cache/bind"; recursion no; dnssec-validation no; listen-on {{ any; }}; }};
key "multiall" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "example.net" {{ {zone} }};
"""


class Names:
    """The name servers of a lab."""

    def __init__(self, made: Ground) -> None:
        self.made = made
        self.network = NetworkNamespace(str(made.lab.folder / "network"))

    def serve(self, zones: Mapping[str, str], text: str, file: str) -> None:
        """named on hosts (name → what its zone says), the file where there is none of a secondary's own."""
        for name, zone in zones.items():
            self.put(name, "/etc/bind/named.conf", CONF.format(secret=SECRET, zone=zone))
            if "secondary" not in zone:
                self.put(name, file, text)
            self.made.lab.run(name, ["service", "named", "start"])
        began = time.monotonic()
        while not all(self.told(name, "ns1") for name in zones):
            if time.monotonic() - began > LIMIT:
                raise Failed("the name servers do not answer")

    def put(self, name: str, path: str, text: str) -> None:
        argv = ["sh", "-c", 'cat > "$1"; chown bind:bind "$1"', "sh", path]
        if self.made.lab.run(name, argv, text.encode()).returncode:
            raise Failed(f"{path} could not be put on {name}")

    def told(self, server: str, name: str = "www") -> set[str]:
        """What clients of a name server are told; nothing where it is silent."""
        query = dns.message.make_query(f"{name}.example.net", "A", use_edns=True, payload=4096)
        with suppress(OSError, dns.exception.DNSException), self.network.entered():
            answer = dns.query.udp(query, self.made.lab.addresses[server], timeout=1)
            return {each.to_text() for rrset in answer.answer for each in rrset}
        return set()

    def write(self, zone: Mapping[str, object], names: list[dict[str, object]]) -> None:
        """The site, whose pool has these names."""
        self.made.write({"dns": [{"zone": "example.net", **each} for each in names]})
        site = self.made.folder / "site"
        file = site / "inventory" / "all.yaml"
        told = json.loads(file.read_text())
        told["zones"] = {"example.net": {"at_most": 100_000, **zone}}
        file.write_text(json.dumps(told))
        (site / "multiall.yaml").write_text(json.dumps({"store": "./state", "parallel": 64, "topology": FAST}))

    def until(self, wanted: set[str], gone: set[str]) -> float:
        """When all servers give all of the wanted addresses and none of those that are gone."""
        began = time.monotonic()
        while True:
            found = [self.told(name) for name in SERVERS]
            if all(wanted <= each and not each & gone for each in found):
                return time.monotonic()
            if time.monotonic() - began > LIMIT:
                raise Failed(f"the names do not follow: {found}")
            time.sleep(0.05)

    @contextmanager
    def watching(self) -> Iterator[None]:
        runner = self.made.multiall("dns", "watch", "--every", "1s", "--yes")
        env = {**os.environ, **runner.env, "DNS_SECRET": SECRET}
        child = subprocess.Popen(runner.argv, env=env, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            child.terminate()
            child.wait()


def losses(names: Names) -> list[float]:
    """D4: seconds from a loss of power until no server gives the address."""
    lab = names.made.lab
    primary, others = lab.addresses[SERVERS[0]], [lab.addresses[name] for name in SERVERS[1:]]
    listed = " ".join(f"{each};" for each in others)
    secondary = (
        f'type secondary; file "example.net.zone"; primaries {{ {primary} key multiall; }}; '
        'allow-notify { key "multiall"; };'
    )
    names.serve(
        {
            SERVERS[0]: 'type primary; file "/var/lib/bind/zone"; update-policy { grant "multiall" zonesub ANY; }; '
            f'allow-transfer {{ key "multiall"; }}; also-notify {{ {listed} }};',
            **dict.fromkeys(SERVERS[1:], secondary),
        },
        HEAD,
        "/var/lib/bind/zone",
    )
    key = {"name": "multiall", "secret": "${env:DNS_SECRET}"}
    names.write({"primary": SERVERS[0], "secondaries": list(SERVERS[1:]), "key": key}, [{"name": "www", "ttl": 5}])
    found = []
    with names.watching():
        names.until(set(lab.addresses.values()), set())
        for name in lab.names[3 : 3 + LOSSES]:
            time.sleep(random.uniform(0.5, 2.0))
            began = time.monotonic()
            lab.do(name, FaultKind.POWER_OFF)
            found.append(names.until(set(), {lab.addresses[name]}) - began)
            print(f"{name} {found[-1]:.2f}", flush=True)
    return found


def large(names: Names) -> list[float]:
    """D8: a zone of many names, in files of three primaries; a member leaves, and comes back."""
    made = names.made
    text = HEAD + "".join(f"n{at} 300 IN A 10.{at >> 16}.{at >> 8 & 255}.{at & 255}\n" for at in range(LARGE))
    file = "/etc/bind/example.net.zone"
    names.serve(dict.fromkeys(SERVERS, f'type primary; file "{file}";'), text, file)
    names.write(
        {"primary": SERVERS[0], "mirrors": list(SERVERS[1:]), "file": file, "interval": 0.001}, [{"name": "www"}]
    )
    command(made, "topology", "pin", "web[1-30]", "up", "--for", "1h", "--because", "benchmark")
    command(made, "dns", "sync", "--yes")
    found = []
    for _ in range(5):
        for state in ("down", "up"):
            command(made, "topology", "undrain", "web9")
            command(made, "topology", "pin", "web9", state, "--for", "1h", "--because", "benchmark")
            began = time.monotonic()
            command(made, "dns", "sync", "--yes")
            found.append(time.monotonic() - began)
            print(f"{state} {found[-1]:.2f}", flush=True)
    return found


def command(made: Ground, *words: str) -> None:
    runner = made.multiall(*words)
    env = {**os.environ, **runner.env, "DNS_SECRET": SECRET}
    done = subprocess.run(runner.argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def row(what: str, found: list[float], goal: str) -> list[str]:
    return [what, str(len(found)), f"{median(found):.2f}", f"{max(found):.2f}", goal]


def main(what: str = "") -> None:
    rows = []
    with ground(HOSTS) as made:
        names = Names(made)
        if what != "large":
            found = losses(names)
            rows.append(row("power is lost: until no server gives its address", found, "5.5 (median)"))
            made.lab.reset()
        found = large(names)
        rows.append(row(f"a name of {LARGE:,} in a file: rendered, checked, on 3 servers", found, "5"))
    for each in rows:
        print("  ".join(each), flush=True)
    if not what:
        head = ["what happens", "times", "median seconds", "longest", "goal"]
        keep("dns_lab", [], {"title": "Names on three name servers of a lab", "head": head, "rows": rows})


if __name__ == "__main__":
    main(*sys.argv[1:])
