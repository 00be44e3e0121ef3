"""Injects and undoes faults. Runs in the supervisor."""

import os
import signal
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import clock_skew, disk_errors, link_shaping, services
from multiall_cli.lab.real.faults import FaultKind
from multiall_cli.lab.real.host_set import HostSet
from multiall_cli.lab.real.network import ADMIN

SSHD_PID = "run/sshd.pid"
FEW_FILES = "etc/security/limits.d/multiall-lab.conf"
_SETTLED = 100  # scans of a host's processes until no process is new
Values = Mapping[str, Any]


@dataclass(slots=True)
class FaultInjector:
    """Injects faults and undoes them; stores those in force."""

    host_set: HostSet
    seed: int
    netem: bool
    relays: dict[str, int] = field(default_factory=dict)
    dying: dict[str, int] = field(default_factory=dict)
    """Hosts that lose power once they have received this many bytes in all."""

    def do(self, name: str, fault: FaultKind, values: Values) -> None:
        """Inject a fault. Raises OSError."""
        needs_life = fault not in (FaultKind.RESTART, FaultKind.PARTITION, FaultKind.ONE_WAY)
        if needs_life and not self.host_set.runs(name):
            raise OSError("it is not running")
        getattr(self, f"_{fault}")(name, values)
        if fault is not FaultKind.RESTART:
            self.host_set.hosts[name].faults[fault] = dict(values)

    def undo(self, name: str, fault: FaultKind) -> None:
        """Undo a fault; no effect if it is not in force. Raises OSError."""
        values = self.host_set.hosts[name].faults.pop(fault, None)
        if values is not None:
            getattr(self, f"_no_{fault}")(name, values)

    def forget(self, name: str) -> None:
        """Undo the faults outside the host, before it is reset."""
        for fault in list(self.host_set.hosts[name].faults):
            if fault in (
                FaultKind.LINE,
                FaultKind.ONE_WAY,
                FaultKind.PARTITION,
                FaultKind.DIE_MID_TRANSFER,
                FaultKind.FILL_DISK,
            ):
                self.undo(name, FaultKind(fault))
        self.host_set.hosts[name].faults.clear()

    def look(self) -> None:
        """Cut the power of hosts that have received enough bytes."""
        for name, limit in list(self.dying.items()):
            if self.host_set.runs(name) and self.host_set.network.received_bytes(name) >= limit:
                del self.dying[name]
                self._power_off(name, {})

    # --- the whole host -----------------------------------------------------------------------------------------

    def _kill(self, name: str, values: Values) -> None:
        self.host_set.kill([name])

    def _power_off(self, name: str, values: Values) -> None:
        self.host_set.network.carrier(name, up=False)
        self.host_set.kill([name])

    def _no_kill(self, name: str, values: Values) -> None:
        if not self.host_set.runs(name):
            self.host_set.boot([name])

    _no_power_off = _no_kill

    def _restart(self, name: str, values: Values) -> None:
        self.host_set.kill([name])
        self._lines_end(name)
        self.host_set.hosts[name].faults.clear()
        self.host_set.boot([name])

    def _lines_end(self, name: str) -> None:
        if name in self.relays:
            port, plugged = self.host_set.network.port(name), self.host_set.network.is_plugged(name)
            link_shaping.end_relay(port, self.relays.pop(name), plugged=plugged)

    def _freeze(self, name: str, values: Values) -> None:
        """Stop processes until none is new: a process may start another one just before it stops."""
        stopped: set[int] = set()
        for _ in range(_SETTLED):
            new = set(self.host_set.processes(name)) - stopped
            if not new:
                return
            for pid in new:
                _signal(pid, signal.SIGSTOP)
            stopped |= new

    def _no_freeze(self, name: str, values: Values) -> None:
        for pid in self.host_set.processes(name) if self.host_set.runs(name) else ():
            _signal(pid, signal.SIGCONT)

    def _die_mid_transfer(self, name: str, values: Values) -> None:
        self.dying[name] = self.host_set.network.received_bytes(name) + int(values["after"])

    def _no_die_mid_transfer(self, name: str, values: Values) -> None:
        self.dying.pop(name, None)
        self._no_kill(name, values)

    # --- its link -----------------------------------------------------------------------------------------------

    def _cut(self, name: str, values: Values) -> None:
        self.host_set.network.carrier(name, up=False)

    def _no_cut(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            self.host_set.network.carrier(name, up=True)

    def _others(self, name: str, names: object) -> list[str]:
        others = [each for each in (ADMIN, *self.host_set.hosts) if each != name]
        wanted = list(names) if isinstance(names, list | tuple) else []
        for each in wanted:
            if each not in others:
                raise OSError(f"no other host `{each}`: {', '.join(others)}")
        return wanted or others

    def _one_way(self, name: str, values: Values) -> None:
        self.host_set.network.lose({(name, other) for other in self._others(name, values["to"])}, self.host_set.pid)

    def _no_one_way(self, name: str, values: Values) -> None:
        self.host_set.network.keep({(name, other) for other in self._others(name, values["to"])}, self.host_set.pid)

    def _both(self, name: str, values: Values) -> set[tuple[str, str]]:
        others = self._others(name, values["from"])
        return {(name, other) for other in others} | {(other, name) for other in others}

    def _partition(self, name: str, values: Values) -> None:
        self.host_set.network.lose(self._both(name, values), self.host_set.pid)

    def _no_partition(self, name: str, values: Values) -> None:
        self.host_set.network.keep(self._both(name, values), self.host_set.pid)

    def _line(self, name: str, values: Values) -> None:
        self._no_line(name, {})
        wanted = link_shaping.LinkQuality(**{key: float(value) for key, value in values.items()})
        port, pid = self.host_set.network.port(name), self.host_set.pid(name)
        if self.netem:
            link_shaping.shape_link(port, pid, wanted)
        else:
            self.relays[name] = link_shaping.start_relay(port, pid, wanted, self.seed)

    def _no_line(self, name: str, values: Values) -> None:
        self._lines_end(name)
        if self.netem and self.host_set.runs(name):
            link_shaping.restore_link(self.host_set.network.port(name), self.host_set.pid(name))

    # --- its disk and its clock ---------------------------------------------------------------------------------

    def _fill_disk(self, name: str, values: Values) -> None:
        self.host_set.disks.fill(name)

    def _no_fill_disk(self, name: str, values: Values) -> None:
        self.host_set.disks.free(name)

    def _read_only(self, name: str, values: Values) -> None:
        self.host_set.order(name, "mount", "-o", "remount,ro", "/")

    def _no_read_only(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            self.host_set.order(name, "mount", "-o", "remount,rw", "/")

    def _skew_clock(self, name: str, values: Values) -> None:
        clock_skew.skew(self._root(name), self.host_set.disks.place, float(values["by"]))

    def _no_skew_clock(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            clock_skew.restore(self._root(name))

    def _sick_disk(self, name: str, values: Values) -> None:
        disk_errors.fail(self._root(name), self.host_set.disks.place, values["of"])

    def _no_sick_disk(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            disk_errors.restore(self._root(name))

    def _few_files(self, name: str, values: Values) -> None:
        most = int(values["most"])
        limits = "".join(f"{who} hard nofile {most}\n{who} soft nofile {most}\n" for who in ("*", "root"))
        (self._root(name) / FEW_FILES).write_text(limits, "ascii")

    def _no_few_files(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            (self._root(name) / FEW_FILES).unlink(missing_ok=True)

    # --- its sshd -----------------------------------------------------------------------------------------------

    def _slow_sshd(self, name: str, values: Values) -> None:
        root = self._root(name)
        script = root / "usr/local/sbin/multiall-lab-slow"
        script.write_text(services.SLOW_LOOKUP.format(seconds=float(values["for"])), "ascii")
        script.chmod(0o755)
        (root / "etc/ssh/sshd_config.d/slow.conf").write_text(services.SLOW_SSHD, "ascii")
        self._reload_sshd(name)

    def _no_slow_sshd(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            (self._root(name) / "etc/ssh/sshd_config.d/slow.conf").unlink(missing_ok=True)
            self._reload_sshd(name)

    def _reload_sshd(self, name: str) -> None:
        """Reload sshd; it writes its pid file again when it listens."""
        pid_file = self._root(name) / SSHD_PID
        number = pid_file.read_text("ascii").strip()
        pid_file.unlink()
        self.host_set.order(name, "kill", "-HUP", number)
        while not pid_file.exists():
            os.sched_yield()
        self.host_set.wait_for_sshd(name)

    def _hung_sshd(self, name: str, values: Values) -> None:
        self._signal_sshd(name, "-STOP")

    def _no_hung_sshd(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            self._signal_sshd(name, "-CONT")

    def _signal_sshd(self, name: str, which: str) -> None:
        number = (self._root(name) / SSHD_PID).read_text("ascii").strip()
        self.host_set.order(name, "kill", which, number)

    def _kill_sshd(self, name: str, values: Values) -> None:
        for pid in self.host_set.processes(name):
            if _program(pid).startswith("sshd"):  # newer releases have sshd-session and sshd-auth
                _signal(pid, signal.SIGKILL)

    def _no_kill_sshd(self, name: str, values: Values) -> None:
        if self.host_set.runs(name):
            self.host_set.order(name, *(("systemctl", "start", "ssh") if self.host_set.groups else services.START_SSHD))
            self.host_set.wait_for_sshd(name)

    def _root(self, name: str) -> Path:
        """Return a running host's `/` as this process sees it."""
        return Path(f"/proc/{self.host_set.pid(name)}/root")


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""  # it has just ended


def _signal(pid: int, which: signal.Signals) -> None:
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return  # it has just ended
