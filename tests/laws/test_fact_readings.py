"""Gauges and psutil tell the same of this machine."""

import os
import socket
import time
from collections.abc import Mapping

import psutil
import pytest

from multiall_cli.remote.facts import cpu, disk, interface, load, memory, package, port, process, service, uptime

MEMORY = 256 << 20  # what others may take or give back between two looks


def between(before: float, told: object, after: float, slack: float = 0.0) -> bool:
    """Whether something that was looked at between two looks of psutil fits them."""
    assert isinstance(told, int | float)
    return min(before, after) - slack <= told <= max(before, after) + slack


def test_memory() -> None:
    before, told, after = psutil.virtual_memory(), memory.memory(), psutil.virtual_memory()
    assert between(before.available, told["free"], after.available, MEMORY)
    assert told["free"] / told["available"] == pytest.approx(before.total)


def test_swap() -> None:
    before, told, after = psutil.swap_memory(), memory.memory(), psutil.swap_memory()
    slack = MEMORY / before.total if before.total else 0.0
    shares = [each.used / each.total if each.total else 0.0 for each in (before, after)]
    assert between(shares[0], told["swap"], shares[1], slack)


@pytest.mark.parametrize("path", ["/", "/tmp", "/proc"])
def test_disks(path: str) -> None:
    before, told, after = psutil.disk_usage(path), disk.disk(path), psutil.disk_usage(path)
    assert between(before.percent / 100, told["used"], after.percent / 100, 0.01 + MEMORY / max(before.total, MEMORY))
    assert between(before.free, told["free"], after.free, MEMORY)


def test_load() -> None:
    before, told, after = psutil.getloadavg(), load.load(), psutil.getloadavg()
    count = psutil.cpu_count() or 1
    for at, name in enumerate(("one", "five", "fifteen")):
        assert between(before[at] / count, told[name], after[at] / count, 0.001)


def test_when_it_was_started() -> None:
    assert time.time() - uptime.uptime()["age"] == pytest.approx(psutil.boot_time(), abs=5)


def test_ports_that_are_listened_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        tcp, udp = one.getsockname()[1], other.getsockname()[1]
        seen = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
        assert tcp in seen
        assert port.port(tcp) == {"open": True, "addresses": ["127.0.0.1"]}
        assert udp in {each.laddr.port for each in psutil.net_connections("udp")}
        assert port.port(udp, "udp")["open"] is True
    ours = {number for _, number in port.listeners("tcp")}
    again = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    assert (seen - {tcp}) & again <= ours  # those that were there all the time


def test_this_process() -> None:
    own = psutil.Process()
    before = own.memory_info().rss
    found = {each[0]: each for each in process.processes()}
    _, name, _, uid, began, ran, rss = found[own.pid]
    assert between(before, rss, own.memory_info().rss, 64 << 20)
    assert name == own.name()[:15]
    assert uid == own.uids().effective
    assert psutil.boot_time() + began == pytest.approx(own.create_time(), abs=5)
    assert ran / os.sysconf("SC_CLK_TCK") == pytest.approx(sum(own.cpu_times()[:2]), abs=2)


def test_how_many_processes() -> None:
    """Those that were there before and after are seen between."""
    before = set(psutil.pids())
    found = {each[0] for each in process.processes()}
    assert before & set(psutil.pids()) <= found | {os.getpid()}


def test_processor_time() -> None:
    """In the same ticks, in the same order."""
    before = psutil.cpu_times()
    _, mark = cpu.cpu()
    after = psutil.cpu_times()
    tick = os.sysconf("SC_CLK_TCK")
    for at, name in enumerate(("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")):
        assert between(getattr(before, name), mark["counters"][at] / tick, getattr(after, name), 0.05), name


def test_interfaces() -> None:
    stats: Mapping[str, object] = psutil.net_if_stats()
    before = psutil.net_io_counters(pernic=True)
    told = {name: interface.interface(name)[0] for name in before}
    after = psutil.net_io_counters(pernic=True)
    assert before
    for name, each in told.items():
        if name not in after or name not in stats or not each["present"]:
            continue
        old, new = before[name], after[name]
        assert between(old.errin + old.errout, each["errors"], new.errin + new.errout), name
        assert between(old.dropin + old.dropout, each["dropped"], new.dropin + new.dropout), name
        known = psutil.net_if_stats()[name].speed
        assert not known or each.get("speed", known) == known, name


def test_packages_and_services_are_looked_up_somewhere() -> None:
    """What is not there is told as such, whatever manages this machine."""
    assert package.package("no-such-package")["present"] is False
    if not os.path.isdir("/run/systemd/system"):
        assert service.service("no-such-service")["present"] is False
