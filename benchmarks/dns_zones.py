"""Zones on a primary and two secondaries of BIND 9 on loopback: `python -m benchmarks.dns_zones [CHANGES]`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.race import OTHERS, Failed, Race, Runner, keep, race
from tests.fixtures.bind9 import PATH, SECRET, Servers, servers
from tests.fixtures.zone_site import ZoneSite

NAMES = 6000  # of a zone that others keep, beside ours
OURS = 20
MANY = 1000
CHANGES = 20
APART = 1.0  # seconds between two changes, which BIND's own notifications are then four seconds late for
FORCED = frozenset({"zones.changes", "zones.hour"})


def others(number: int) -> str:
    return "\n".join(f"n{at} 300 IN A 10.1.{at >> 8}.{at & 255}" for at in range(number))


def octodns(folder: Path, made: Servers, zone: str, names: dict[str, list[str]]) -> tuple[str, ...]:
    """octodns-sync's argv, with the whole zone as its configuration."""
    folder.mkdir(exist_ok=True)
    told = {
        "providers": {
            "config": {"class": "octodns.provider.yaml.YamlProvider", "directory": str(folder), "enforce_order": False},
            "bind": {
                "class": "octodns_bind.Rfc2136Provider",
                "host": "127.0.0.1",
                "port": made.primary.port,
                "key_name": "multiall",
                "key_secret": SECRET,
                "key_algorithm": "hmac-sha256",
            },
        },
        "zones": {f"{zone}.": {"sources": ["config"], "targets": ["bind"]}},
    }
    (folder / "config.yaml").write_text(json.dumps(told))
    records = {name: {"type": "A", "ttl": 300, "values": values} for name, values in names.items()}
    (folder / f"{zone}.yaml").write_text(json.dumps(records))
    return (str(OTHERS / "octodns-sync"), "--config-file", str(folder / "config.yaml"), "--doit", "--force", "--quiet")


def nothing_changed(folder: Path, made: Servers, site: ZoneSite) -> Race:
    """D1: the whole process, from its start."""
    names = {f"n{at}": [f"10.1.{at >> 8}.{at & 255}"] for at in range(NAMES)} | {"ns1": ["127.0.0.1"]}
    theirs = octodns(folder / "octodns", made, "theirs.test", names)
    ours = (sys.executable, "-m", "multiall_cli", "--site", str(site.folder), "dns", "sync", "--yes", "--quiet")
    return race(
        f"a zone of {NAMES:,} names in which nothing changed",
        [Runner("multiall dns sync", ours), Runner("octodns-sync", theirs)],
        7,
        {"octodns-sync": 7.4},
    )


def many_changed(folder: Path, made: Servers) -> list[list[str]]:
    """D2: all of many names lose a member, seen on all servers."""
    site = ZoneSite(folder / "many", made, "many.test", names=[{"name": f"app{at}"} for at in range(MANY)])
    site.write()
    site.up()
    site.sync(open_guards=FORCED)
    found = []
    for _ in range(5):
        site.down("web1")
        began = time.monotonic()
        report = site.sync(open_guards=FORCED)
        found.append(time.monotonic() - began)
        if report.changed != MANY or report.exit:
            raise Failed(report.stopped or str(report.servers))
        site.up("web1")
        site.sync(open_guards=FORCED)
    return [
        [f"{MANY:,} sets changed, and seen on 3 servers", f"{median(found):.2f} s", f"{max(found):.2f} s", "1 s"],
        many_by_octodns(folder, made),
    ]


def many_by_octodns(folder: Path, made: Servers) -> list[str]:
    """It puts all into one message, and looks at no server afterwards."""
    values = {f"app{at}": ["192.0.2.2", "192.0.2.3"] for at in range(MANY)} | {"ns1": ["127.0.0.1"]}
    began = time.monotonic()
    argv = octodns(folder / "octodns", made, "peer.test", values)
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    what = "the same by octodns-sync"
    if "TooBig" in done.stderr:
        return [what, "none is done: its one message is too big", "", ""]
    return [what, f"{time.monotonic() - began:.2f} s", "", ""]


def seen_after(made: Servers, zone: str, began: float, serial: int) -> float:
    """Seconds until every server has a serial, by asking each all the time."""
    late = 0.0
    for each in made.all:
        while each.serial(zone) < serial:
            time.sleep(0.001)
        late = max(late, time.monotonic() - began)
    return late


def spread(made: Servers, folder: Path, changes: int, names: int) -> tuple[list[float], list[float]]:
    """D3: seconds from the primary's answer until all servers have a change: ours, and left to BIND alone."""
    site = ZoneSite(
        folder / f"spread{names}", made, f"spread{names}.test", names=[{"name": f"a{at}"} for at in range(names)]
    )
    site.write()
    site.up()
    site.sync(open_guards=FORCED)
    ours, alone = [], []
    for turn in range(changes):
        time.sleep(APART)
        site.up("web1") if turn % 2 else site.down("web1")
        report = site.sync(open_guards=FORCED)
        ours.append(max(each.lag or 99.0 for each in report.servers))
    time.sleep(6.0)
    for turn in range(min(changes, 8)):
        time.sleep(APART)
        before = made.primary.serial(site.zone)
        began = time.monotonic()
        made.add(f"other{turn}", 60, "A", "192.0.2.200", site.zone)
        alone.append(seen_after(made, site.zone, began, before + 1))
    return ours, alone


def middle(found: list[float]) -> str:
    return f"{median(found) * 1000:.0f} ms"


def late(found: list[float]) -> str:
    return f"{quantiles(found, n=20)[-1] * 1000:.0f} ms"


def main(changes: int = CHANGES) -> None:
    os.environ["DNS_SECRET"] = SECRET
    os.environ["PATH"] = PATH
    zones = {"ours.test": others(NAMES), "theirs.test": others(NAMES), "many.test": "", "peer.test": ""}
    zones |= {f"spread{names}.test": "" for names in (1, 10)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with servers(folder / "named", zones) as made:
            site = ZoneSite(folder / "site", made, "ours.test", names=[{"name": f"app{at}"} for at in range(OURS)])
            site.write()
            site.up()
            site.sync()
            site.sync()
            first = nothing_changed(folder, made, site)
            print(first.table(), flush=True)
            rows = many_changed(folder, made)
            for names, what in ((1, f"changes {APART:g} s apart"), (10, "of 10 names each")):
                ours, alone = spread(made, folder, changes, names)
                rows.append([f"{what}: until all servers have it", middle(ours), late(ours), "50 ms (95th percentile)"])
                rows.append(["left to BIND's own notifications", middle(alone), late(alone), ""])
            for row in rows:
                print("  ".join(row), flush=True)
    head = ["what", "median", "longest, or 95th percentile", "goal"]
    keep("dns_zones", [first], {"title": "Zones on three servers of BIND 9", "head": head, "rows": rows})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
