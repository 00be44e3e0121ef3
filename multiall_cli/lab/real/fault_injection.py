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

    yard: HostSet
    seed: int
    netem: bool
    relays: dict[str, int] = field(default_factory=dict)
    dying: dict[str, int] = field(default_factory=dict)
    """Hosts that lose power once they have received this many bytes in all."""

    def do(self, name: str, fault: FaultKind, values: Values) -> None:
        """Inject a fault. Raises OSError."""
        needs_life = fault not in (FaultKind.RESTART, FaultKind.PARTITION, FaultKind.ONE_WAY)
        if needs_life and not self.yard.runs(name):
            raise OSError("it is not running")
        getattr(self, f"_{fault}")(name, values)
        if fault is not FaultKind.RESTART:
            self.yard.hosts[name].faults[fault] = dict(values)

    def undo(self, name: str, fault: FaultKind) -> None:
        """Undo a fault; no effect if it is not in force. Raises OSError."""
        values = self.yard.hosts[name].faults.pop(fault, None)
        if values is not None:
            getattr(self, f"_no_{fault}")(name, values)

    def forget(self, name: str) -> None:
        """Undo the faults outside the host, before it is reset."""
        for fault in list(self.yard.hosts[name].faults):
            if fault in (
                FaultKind.LINE,
                FaultKind.ONE_WAY,
                FaultKind.PARTITION,
                FaultKind.DIE_MID_TRANSFER,
                FaultKind.FILL_DISK,
            ):
                self.undo(name, FaultKind(fault))
        self.yard.hosts[name].faults.clear()

    def look(self) -> None:
        """Cut the power of hosts that have received enough bytes."""
        for name, limit in list(self.dying.items()):
            if self.yard.runs(name) and self.yard.network.received(name) >= limit:
                del self.dying[name]
                self._power_off(name, {})

    # --- the whole host -----------------------------------------------------------------------------------------

    def _kill(self, name: str, values: Values) -> None:
        self.yard.kill([name])

    def _power_off(self, name: str, values: Values) -> None:
        self.yard.network.carrier(name, up=False)
        self.yard.kill([name])

    def _no_kill(self, name: str, values: Values) -> None:
        if not self.yard.runs(name):
            self.yard.boot([name])

    _no_power_off = _no_kill

    def _restart(self, name: str, values: Values) -> None:
        self.yard.kill([name])
        self._lines_end(name)
        self.yard.hosts[name].faults.clear()
        self.yard.boot([name])

    def _lines_end(self, name: str) -> None:
        if name in self.relays:
            port, plugged = self.yard.network.port(name), self.yard.network.plugged(name)
            link_shaping.end_relay(port, self.relays.pop(name), plugged=plugged)

    def _freeze(self, name: str, values: Values) -> None:
        """Stop processes until none is new: a process may start another one just before it stops."""
        stopped: set[int] = set()
        for _ in range(_SETTLED):
            new = set(self.yard.processes(name)) - stopped
            if not new:
                return
            for pid in new:
                _signal(pid, signal.SIGSTOP)
            stopped |= new

    def _no_freeze(self, name: str, values: Values) -> None:
        for pid in self.yard.processes(name) if self.yard.runs(name) else ():
            _signal(pid, signal.SIGCONT)

    def _die_mid_transfer(self, name: str, values: Values) -> None:
        self.dying[name] = self.yard.network.received(name) + int(values["after"])

    def _no_die_mid_transfer(self, name: str, values: Values) -> None:
        self.dying.pop(name, None)
        self._no_kill(name, values)

    # --- its link -----------------------------------------------------------------------------------------------

    def _cut(self, name: str, values: Values) -> None:
        self.yard.network.carrier(name, up=False)

    def _no_cut(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            self.yard.network.carrier(name, up=True)

    def _others(self, name: str, said: object) -> list[str]:
        others = [each for each in (ADMIN, *self.yard.hosts) if each != name]
        wanted = list(said) if isinstance(said, list | tuple) else []
        for each in wanted:
            if each not in others:
                raise OSError(f"no other host `{each}`: {', '.join(others)}")
        return wanted or others

    def _one_way(self, name: str, values: Values) -> None:
        self.yard.network.lose({(name, other) for other in self._others(name, values["to"])}, self.yard.pid)

    def _no_one_way(self, name: str, values: Values) -> None:
        self.yard.network.keep({(name, other) for other in self._others(name, values["to"])}, self.yard.pid)

    def _both(self, name: str, values: Values) -> set[tuple[str, str]]:
        others = self._others(name, values["from"])
        return {(name, other) for other in others} | {(other, name) for other in others}

    def _partition(self, name: str, values: Values) -> None:
        self.yard.network.lose(self._both(name, values), self.yard.pid)

    def _no_partition(self, name: str, values: Values) -> None:
        self.yard.network.keep(self._both(name, values), self.yard.pid)

    def _line(self, name: str, values: Values) -> None:
        self._no_line(name, {})
        wanted = link_shaping.LinkQuality(**{key: float(value) for key, value in values.items()})
        port, pid = self.yard.network.port(name), self.yard.pid(name)
        if self.netem:
            link_shaping.shape_link(port, pid, wanted)
        else:
            self.relays[name] = link_shaping.start_relay(port, pid, wanted, self.seed)

    def _no_line(self, name: str, values: Values) -> None:
        self._lines_end(name)
        if self.netem and self.yard.runs(name):
            link_shaping.restore_link(self.yard.network.port(name), self.yard.pid(name))

    # --- its disk and its clock ---------------------------------------------------------------------------------

    def _fill_disk(self, name: str, values: Values) -> None:
        self.yard.disks.fill(name)

    def _no_fill_disk(self, name: str, values: Values) -> None:
        self.yard.disks.free(name)

    def _read_only(self, name: str, values: Values) -> None:
        self.yard.order(name, "mount", "-o", "remount,ro", "/")

    def _no_read_only(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            self.yard.order(name, "mount", "-o", "remount,rw", "/")

    def _skew_clock(self, name: str, values: Values) -> None:
        clock_skew.skew(self._root(name), self.yard.disks.place, float(values["by"]))

    def _no_skew_clock(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            clock_skew.restore(self._root(name))

    def _sick_disk(self, name: str, values: Values) -> None:
        disk_errors.fail(self._root(name), self.yard.disks.place, values["of"])

    def _no_sick_disk(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            disk_errors.restore(self._root(name))

    def _few_files(self, name: str, values: Values) -> None:
        most = int(values["most"])
        limits = "".join(f"{who} hard nofile {most}\n{who} soft nofile {most}\n" for who in ("*", "root"))
        (self._root(name) / FEW_FILES).write_text(limits, "ascii")

    def _no_few_files(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
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
        if self.yard.runs(name):
            (self._root(name) / "etc/ssh/sshd_config.d/slow.conf").unlink(missing_ok=True)
            self._reload_sshd(name)

    def _reload_sshd(self, name: str) -> None:
        """Reload sshd; it writes its pid file again when it listens."""
        pid_file = self._root(name) / SSHD_PID
        number = pid_file.read_text("ascii").strip()
        pid_file.unlink()
        self.yard.order(name, "kill", "-HUP", number)
        while not pid_file.exists():
            os.sched_yield()
        self.yard.wait_for_sshd(name)

    def _hung_sshd(self, name: str, values: Values) -> None:
        self._signal_sshd(name, "-STOP")

    def _no_hung_sshd(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            self._signal_sshd(name, "-CONT")

    def _signal_sshd(self, name: str, which: str) -> None:
        number = (self._root(name) / SSHD_PID).read_text("ascii").strip()
        self.yard.order(name, "kill", which, number)

    def _kill_sshd(self, name: str, values: Values) -> None:
        for pid in self.yard.processes(name):
            if _program(pid).startswith("sshd"):  # newer releases have sshd-session and sshd-auth
                _signal(pid, signal.SIGKILL)

    def _no_kill_sshd(self, name: str, values: Values) -> None:
        if self.yard.runs(name):
            self.yard.order(name, *(("systemctl", "start", "ssh") if self.yard.groups else services.START_SSHD))
            self.yard.wait_for_sshd(name)

    def _root(self, name: str) -> Path:
        """Return a running host's `/` as this process sees it."""
        return Path(f"/proc/{self.yard.pid(name)}/root")


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
