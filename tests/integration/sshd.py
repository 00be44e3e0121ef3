"""A real OpenSSH server on loopback: own keys, own configuration, one temporary folder, no trace afterwards."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from multiall_cli.domain.inventory import Server, Ssh

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CONFIG = """\
ListenAddress {address}:{port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
MaxStartups 500
MaxSessions 100
SetEnv SHLVL=9
LogLevel INFO
"""


@dataclass
class Sshd:
    """A running sshd; `folder` has its keys (`host`, `user` and their .pub) and `authorized_keys`."""

    folder: Path
    address: str
    port: int
    child: subprocess.Popen[bytes]
    log: bytearray = field(default_factory=bytearray)
    _listener: threading.Thread | None = None

    def listen(self) -> None:
        """Take what it says, so that a full pipe never stops it."""

        def take() -> None:
            assert self.child.stderr is not None
            for line in self.child.stderr:
                self.log.extend(line)

        self._listener = threading.Thread(target=take)
        self._listener.start()

    def server(self, name: str = "web1", **ssh: object) -> Server:
        own = {"user": pwd.getpwuid(os.geteuid()).pw_name, "port": self.port, "identity": str(self.folder / "user")}
        return Server(name=name, address=self.address, ssh=Ssh(**{**own, **ssh}))  # type: ignore[arg-type]

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def cut(self) -> None:
        """End the processes that serve connections, as a machine that dies would: one or two for each."""
        for each in psutil.Process(self.child.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # of an earlier test, and about to end by itself
                if "sshd" in each.name():
                    each.kill()

    def end(self) -> None:
        """Stop it and cut its sessions."""
        listening = psutil.Process(self.child.pid)
        below = listening.children(recursive=True)  # sessions are in process groups of their own
        for one in (listening, *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.child.wait()
        if self._listener is not None:
            self._listener.join()
        assert self.child.stderr is not None
        self.child.stderr.close()


def keygen(file: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", file.name, "-f", str(file)], check=True)
    return file


@contextmanager
def sshd(lines: Sequence[str] = (), address: str = "127.0.0.1") -> Iterator[Sshd]:
    """An sshd that is ready; it inherits a listening socket's port only after that socket was taken: no race."""
    assert SSHD is not None
    folder = Path(tempfile.mkdtemp(prefix="multiall-sshd-"))
    running: Sshd | None = None
    try:
        keygen(folder / "host")
        keygen(folder / "user")
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        running = _start(folder, address, lines)
        kind, blob = (folder / "host.pub").read_text().split()[:2]
        running.known_hosts.write_text(f"[{address}]:{running.port} {kind} {blob}\n")
        yield running
    finally:
        if running is not None:
            running.end()
        shutil.rmtree(folder)


def _start(folder: Path, address: str, lines: Sequence[str]) -> Sshd:
    """Retries with another port where somebody took it in between; ready is when `Server listening` is said."""
    assert SSHD is not None
    for _ in range(20):
        with socket.create_server((address, 0)) as free:
            port = free.getsockname()[1]
        text = "\n".join(lines) + "\n" + CONFIG.format(address=address, port=port, folder=folder)
        if any(line.startswith("MaxStartups ") for line in lines):  # of this one sshd takes the last value
            text = text.replace("MaxStartups 500\n", "")
        (folder / "config").write_text(text)
        child = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "config")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert child.stderr is not None
        said = b""
        while line := child.stderr.readline():
            said += line
            if b"Server listening" in line:
                running = Sshd(folder, address, port, child)
                running.listen()
                return running
        child.wait()
        child.stderr.close()
    raise RuntimeError(f"sshd did not start: {said.decode()}")
