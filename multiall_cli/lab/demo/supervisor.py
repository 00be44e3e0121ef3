"""The parent of a lab's servers: starts and ends them, and cleans up when its user is gone."""

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

import paramiko
import psutil

from multiall_cli.lab.atomic_write import write_atomically
from multiall_cli.lab.demo import layout, member, prctl

PORT = 2222
BACKLOG = 128


class DemoSupervisor:
    """The child processes and files of one lab."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self._folder = folder
        self._keep = keep
        self._key = paramiko.ECDSAKey.from_private_key_file(str(folder / "key"))  # made by the lab itself
        self._pids: dict[str, int] = {}
        self._at: dict[str, tuple[str, int]] = {}
        self._sockets: dict[str, socket.socket] = {}  # stay bound while a server is off, so that its port stays its own
        self._lifeline = os.pipe()  # only we have the write end: members see the end of the pipe when we are gone

    def start(self, name: str) -> str:
        """Start a server; return why it failed, or ''."""
        if self._runs(name):
            return "it is already running"
        if name not in self._sockets:
            self._sockets[name] = _bind(self._at[name]) if name in self._at else _bind_any(len(self._at))
            self._at[name] = self._sockets[name].getsockname()[:2]
        listening = self._sockets[name]
        listening.listen(BACKLOG)
        ready, report_ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self._lifeline[1])
            home, host_key = layout.home(self._folder, name), layout.host_key(self._folder, name)
            member.serve(listening, home, host_key, self._key, self._lifeline[0], report_ready)
        os.close(report_ready)
        os.read(ready, 1)  # until then it has no process group to signal, and would outlive us
        os.close(ready)
        self._pids[name] = pid
        self._write_status()
        return ""

    def kill(self, name: str) -> str:
        if not self._runs(name):
            return "it is not running"
        pid = self._pids.pop(name)
        os.killpg(pid, signal.SIGSTOP)  # so that it starts nothing while we search
        below = psutil.Process(pid).children(recursive=True)
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._refuse(name)
        for one in below:
            # Ours now, since we adopt orphans; on other systems init reaps it.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one.pid, 0)
        self._write_status()
        return ""

    def _refuse(self, name: str) -> None:
        """Stop listening but stay bound; Linux allows it, elsewhere the port is free until the server starts."""
        try:
            self._sockets[name].shutdown(socket.SHUT_RDWR)
        except OSError:
            self._sockets.pop(name).close()

    def freeze(self, name: str) -> str:
        return self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> str:
        return self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, which: signal.Signals) -> str:
        if not self._runs(name):
            return "it is not running"
        for one in psutil.Process(self._pids[name]).children(recursive=True):
            one.send_signal(which)
        os.killpg(self._pids[name], which)
        return ""

    def _runs(self, name: str) -> bool:
        pid = self._pids.get(name)
        if pid is None:
            return False
        if os.waitpid(pid, os.WNOHANG)[0]:
            del self._pids[name]
            return False
        return True

    def end(self) -> None:
        for name in list(self._pids):
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def order(self, verb: str, name: str) -> str:
        if name not in self._at:
            return "there is no such server"
        return {"start": self.start, "kill": self.kill, "freeze": self.freeze, "thaw": self.thaw}[verb](name)

    def _write_status(self) -> None:
        status = {"supervisor": os.getpid(), "keep": self._keep, "pids": self._pids, "servers": self._at}
        write_atomically(self._folder / "lab.json", json.dumps(status, indent=1))

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        return self._at


def _bind_any(number: int) -> socket.socket:
    """Return a socket on its own address, or on a free port of 127.0.0.1."""
    try:
        return _bind((f"127.77.{number // 250}.{number % 250 + 1}", PORT))
    except OSError:
        with _bind(("127.0.0.1", 0)) as free:
            address = free.getsockname()
        return _bind(address)  # an explicit port, because the kernel releases a port that it chose when listening ends


def _bind(address: tuple[str, int]) -> socket.socket:
    """Return a bound socket, not listening and not shared: no other lab may take the port of a stopped server."""
    made = socket.socket()
    try:
        made.bind(address)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: to listen again beside old connections
    except OSError:
        made.close()
        raise
    return made


class DemoControlServer:
    """Receives orders. They are short, and come from the lab's own user: no limits, no threads."""

    def __init__(self, supervisor: DemoSupervisor, control: socket.socket) -> None:
        self._supervisor = supervisor
        self._control = control
        self._over = False
        self._clients: set[socket.socket] = set()  # open until the lab has ended: clients that order its end see it

    def attend(self, *, keep: bool) -> None:
        """Execute orders until the lab is ended or (unless `keep`) its user is gone."""
        woken, wake = socket.socketpair()
        with woken, wake, selectors.DefaultSelector() as self._selector:
            self._selector.register(self._control, selectors.EVENT_READ, self._welcome)
            self._selector.register(woken, selectors.EVENT_READ, self._end)
            if not keep:
                self._selector.register(sys.stdin, selectors.EVENT_READ, self._end)
            wake.setblocking(False)
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: None)
            os.write(1, b"ready\n")  # only now: from here on, signals lead to a clean end
            while not self._over:
                for key, _ in self._selector.select():
                    key.data()

    def _end(self) -> None:
        self._over = True

    def _welcome(self) -> None:
        client, _ = self._control.accept()
        self._clients.add(client)
        self._selector.register(client, selectors.EVENT_READ, partial(self._listen, client, client.makefile("rb")))

    def _listen(self, client: socket.socket, lines: BinaryIO) -> None:
        """Execute one order; answer with an error, or ''. `end` is answered by the end of the connection."""
        line = lines.readline()
        if not line:
            self._selector.unregister(client)
            self._clients.discard(client)
            client.close()
            return
        verb, name = json.loads(line)
        if verb == "end":
            self._end()
            return
        try:
            words = self._supervisor.order(verb, name)
        except (OSError, psutil.Error) as fault:
            words = str(fault)
        with contextlib.suppress(OSError):  # the client did not wait for the answer
            client.sendall(json.dumps(words).encode() + b"\n")


def main(folder: Path, name: str, count: int, *, keep: bool) -> None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, False)
    prctl.adopt_orphans()
    names = [f"{name}{number}" for number in range(1, count + 1)]
    layout.make_folders(folder, names)
    supervisor = DemoSupervisor(folder, keep=keep)
    try:
        for one in names:
            supervisor.start(one)
        layout.write_site(folder, supervisor.addresses, name)
        with layout.control(folder) as path, socket.socket(socket.AF_UNIX) as control:
            control.bind(path)
            control.listen()
            server = DemoControlServer(supervisor, control)
            server.attend(keep=keep)
    finally:
        supervisor.end()  # clients are still connected, and see the end when everything is done


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), keep=sys.argv[4] == "keep")
