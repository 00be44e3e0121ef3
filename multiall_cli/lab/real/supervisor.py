"""PID 1 of a lab's own PID namespace: boots hosts, executes orders; when it ends, the kernel ends everything."""

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from multiall_cli.domain.errors import MultiAllError
from multiall_cli.lab.real import link_shaping, network
from multiall_cli.lab.real.cgroups import Cgroups
from multiall_cli.lab.real.disk import HostDisks
from multiall_cli.lab.real.fault_injection import FaultInjector
from multiall_cli.lab.real.faults import FaultKind, check_types
from multiall_cli.lab.real.host import Host
from multiall_cli.lab.real.host_set import HostSet
from multiall_cli.lab.real.network import Network

OFTEN = 0.001  # seconds between two checks of a host that is to die in mid-transfer


class HostSupervisor:
    """Orders by name. Each takes the order's words, and returns a value and perhaps a descriptor."""

    def __init__(self, folder: Path) -> None:
        task = json.loads((folder / "lab.json").read_text("utf-8"))
        names = list(task["servers"])
        hosts = {name: Host(name, (folder / "hostkeys" / name).read_text("ascii")) for name in names}
        disks = HostDisks(folder / "disks", task["disk"])
        net = Network({name: number for number, name in enumerate(names, 1)}, disks.place / "sys")
        groups = Cgroups(disks.place / "groups", folder) if task["init"] == "systemd" else None
        self._host_set = HostSet(hosts, disks, net, groups)
        disks.make((folder / "key.pub").read_text("ascii"), tuple(task["services"]))
        net.make()
        if groups:
            groups.make()
        self._injector = FaultInjector(self._host_set, task["seed"], link_shaping.has_netem())
        self._host_set.clean(names)
        self._host_set.boot(names)

    def order(self, verb: str, words: list[Any]) -> tuple[object, int | None]:
        """Execute an order. Raises OSError, MultiAllError."""
        return getattr(self, f"_do_{verb}")(*words)  # type: ignore[no-any-return]

    def _do_status(self) -> tuple[object, None]:
        hosts = self._host_set.hosts.values()
        return [{"name": one.name, "runs": self._host_set.runs(one.name), "faults": one.faults} for one in hosts], None

    def _do_break(self, name: str, fault: str, values: dict[str, object]) -> tuple[object, None]:
        self._injector.do(name, FaultKind(fault), check_types(FaultKind(fault), values))
        return None, None

    def _do_mend(self, name: str, faults: list[str]) -> tuple[object, None]:
        for fault in faults or list(self._host_set.hosts[name].faults):
            self._injector.undo(name, FaultKind(fault))
        return None, None

    def _do_reset(self, names: list[str]) -> tuple[object, None]:
        for name in names:
            self._injector.forget(name)
        self._host_set.reset(names)
        return None, None

    def _do_reach(self, name: str) -> tuple[object, int]:
        """Return a descriptor of its PID 1, from which the client learns the pid in its own namespace."""
        if not self._host_set.runs(name):
            raise OSError("it is not running")
        return None, os.pidfd_open(self._host_set.pid(name))

    def look(self) -> None:
        self._injector.look()

    @property
    def is_hurried(self) -> bool:
        return bool(self._injector.dying)

    def end(self) -> None:
        self._host_set.end()


class ControlServer:
    """Receives orders: short ones from the lab's own user, one at a time."""

    def __init__(self, supervisor: HostSupervisor, control: socket.socket, network_socket: socket.socket) -> None:
        self._supervisor = supervisor
        self._selector = selectors.DefaultSelector()
        self._over = False
        self._on(control, lambda: self._welcome(control))
        self._on(network_socket, lambda: _send_namespace(network_socket))

    def attend(self, *, keep: bool) -> None:
        """Execute orders until the lab is ended or (unless `keep`) its user is gone."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._on(woken, self._end)
        if not keep:
            self._on(sys.stdin, self._end)
        while not self._over:
            for key, _ in self._selector.select(OFTEN if self._supervisor.is_hurried else None):
                key.data()
            self._supervisor.look()

    def _on(self, source: Any, work: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, work)

    def _end(self) -> None:
        self._over = True

    def _welcome(self, control: socket.socket) -> None:
        client, _ = control.accept()
        self._on(client, partial(self._listen, client, client.makefile("rb")))

    def _listen(self, client: socket.socket, lines: BinaryIO) -> None:
        """Execute one order; answer {"value": …} or {"fault": …}. `end` is answered by the end of the connection."""
        said = lines.readline()
        if not said:
            self._selector.unregister(client)
            lines.close()
            client.close()
            return
        verb, words = json.loads(said)
        if verb == "end":
            self._end()
            return
        answer: dict[str, object] = {}
        descriptor = None
        try:
            answer["value"], descriptor = self._supervisor.order(verb, words)
        except MultiAllError as fault:
            answer["fault"] = fault.what
        except OSError as fault:
            answer["fault"] = fault.strerror or str(fault)
        with contextlib.suppress(OSError):  # the client did not wait for the answer
            _answer(client, json.dumps(answer).encode() + b"\n", descriptor)


def _answer(client: socket.socket, text: bytes, descriptor: int | None) -> None:
    if descriptor is None:
        client.sendall(text)
        return
    socket.send_fds(client, [text], [descriptor])
    os.close(descriptor)


def _send_namespace(network_socket: socket.socket) -> None:
    """Send our network namespace to each client: sockets made in it reach the hosts."""
    client, _ = network_socket.accept()
    descriptor = network.namespace()
    with client, contextlib.suppress(OSError):
        socket.send_fds(client, [b"."], [descriptor])
    os.close(descriptor)


def _listening(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen()
    return listening


def main(folder: Path, *, keep: bool) -> None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        supervisor = HostSupervisor(folder)
        with _listening(folder / "control") as control, _listening(folder / "network") as network_socket:
            os.write(1, b"ready\n")
            ControlServer(supervisor, control, network_socket).attend(keep=keep)
        supervisor.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), keep=sys.argv[2] == "keep")
