"""A hundred things that are so on every lab server, each as a rule of ours and as a test of testinfra's.

Each rule asks for one value, so that a test costs its program one command wherever that has one for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODES = {"/etc": "0755", "/usr": "0755", "/usr/bin": "0755", "/etc/passwd": "0644", "/etc/group": "0644",
         "/etc/profile": "0644", "/etc/nsswitch.conf": "0644", "/etc/debian_version": "0644", "/root": "0700",
         "/mnt": "0755", "/proc": "0555", "/dev": "0755"}  # fmt: skip
OWNED = ("/etc/gshadow", "/etc/ssh", "/usr/sbin", "/var", "/run")
FOLDERS = ("/home", "/opt", "/srv", "/var/lib", "/var/log", "/usr/share")
THERE = ("/bin/bash", "/bin/cat", "/bin/ls", "/usr/bin/env", "/usr/bin/id", "/usr/bin/python3",
         "/usr/sbin/sshd", "/etc/ssh/sshd_config", "/dev/null")  # fmt: skip
HOLDING = {"/etc/os-release": "^ID=", "/etc/hosts": "^127", "/etc/shells": "^/bin/sh", "/etc/host.conf": "^multi"}
USERS = {"root": 0, "daemon": 1, "bin": 2, "sys": 3, "sync": 4, "games": 5, "man": 6, "lp": 7, "mail": 8, "news": 9,
         "uucp": 10, "proxy": 13, "www-data": 33, "nobody": 65534}  # fmt: skip
GROUPS = {"root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "mail": 8, "kmem": 15, "sudo": 27,
          "shadow": 42, "utmp": 43, "staff": 50, "users": 100}  # fmt: skip
PACKAGES = ("base-files", "bash", "coreutils", "dpkg", "grep", "libc6", "openssh-server", "python3", "rsync", "sed")
SETTINGS = ("fs.file-max", "kernel.pid_max", "kernel.threads-max", "vm.swappiness", "vm.overcommit_memory")
MOUNTS = {"/": "overlay", "/proc": "proc", "/run": "tmpfs", "/dev": "tmpfs", "/sys": "sysfs"}
ROOM = ("/", "/dev", "/run")


@dataclass(frozen=True, slots=True)
class Thing:
    """`rule`: as a pack has it; `test`: an expression in Python over `host`."""

    rule: Mapping[str, object]
    test: str


def hundred() -> tuple[Thing, ...]:
    found = (*_files(), *_accounts(), *_system(), *_numbers())
    assert len(found) == 100, len(found)  # noqa: S101  (it is what the page says)
    return found


def _files() -> Iterator[Thing]:
    for path, mode in MODES.items():
        yield Thing({"check": "file", "path": path, "mode": mode}, f"host.file({path!r}).mode == 0o{mode}")
    for path in OWNED:
        yield Thing({"check": "file", "path": path, "owner": "root"}, f"host.file({path!r}).user == 'root'")
    for path in FOLDERS:
        yield Thing({"check": "file", "path": path, "kind": "directory"}, f"host.file({path!r}).is_directory")
    for path in THERE:
        yield Thing({"check": "file", "path": path}, f"host.file({path!r}).exists")
    for path, text in HOLDING.items():
        rule = {"check": "file", "path": path, "match": text, "matches": True}
        yield Thing(rule, f"host.file({path!r}).contains({text!r})")


def _accounts() -> Iterator[Thing]:
    for name, uid in USERS.items():
        yield Thing({"check": "user", "name": name, "uid": uid}, f"host.user({name!r}).uid == {uid}")
    for name, gid in GROUPS.items():
        yield Thing({"check": "group", "name": name, "gid": gid}, f"host.group({name!r}).gid == {gid}")


def _system() -> Iterator[Thing]:
    for name in PACKAGES:
        yield Thing({"check": "package", "name": name}, f"host.package({name!r}).is_installed")
    for name in SETTINGS:
        yield Thing({"check": "sysctl", "name": name}, f"host.sysctl({name!r}) is not None")
    yield Thing(
        {"check": "sysctl", "name": "kernel.ostype", "value": "Linux"}, "host.sysctl('kernel.ostype') == 'Linux'"
    )
    for path, kind in MOUNTS.items():
        yield Thing(
            {"check": "mount", "path": path, "type": kind}, f"host.mount_point({path!r}).filesystem == {kind!r}"
        )
    for path in ROOM:
        yield Thing({"check": "disk", "path": path, "free": "1kB"}, f"int({_said(f'stat -f -c %a {path}')}) > 0")
    for name in ("lo", "eth0"):
        yield Thing({"check": "interface", "name": name}, f"host.interface({name!r}).exists")
    yield Thing({"check": "process", "name": "sshd"}, "len(host.process.filter(comm='sshd')) > 0")
    yield Thing({"check": "port", "port": 22}, "host.socket('tcp://22').is_listening")
    yield Thing({"check": "command", "argv": ["true"]}, "host.run('true').rc == 0")


def _numbers() -> Iterator[Thing]:
    yield Thing({"check": "load", "five": [1000, 2000]}, f"float({_said('cat /proc/loadavg')}.split()[1]) < 1000")
    yield Thing({"check": "memory", "free": "1kB"}, f"int({_said('grep MemAvailable /proc/meminfo')}.split()[1]) > 1")
    handles = _said("cat /proc/sys/fs/file-nr")
    yield Thing({"check": "open_files", "used": "99%"}, f"(lambda n: n[0] < n[2])([*map(int, {handles}.split())])")
    yield Thing({"check": "zombies", "count": [1000, 2000]}, f"{_said('ps -A -o stat=')}.count('Z') < 1000")
    yield Thing({"check": "uptime", "age": "1ms"}, f"float({_said('cat /proc/uptime')}.split()[0]) > 0")
    yield Thing({"check": "clock", "offset": "60s"}, f"abs(float({_said('date +%s')}) - time.time()) < 60")
    rule = {"check": "files", "path": "/etc/pass*", "count": 1000}
    yield Thing(rule, f"len({_said('ls -d /etc/pass*')}.split()) < 1000")


def _said(command: str) -> str:
    return f"host.check_output({command!r})"


def more(count: int) -> tuple[Thing, ...]:
    """Further things of this machine, whose disk the lab's servers have too: as many packages and settings among them
    as among the hundred.
    """
    packages = [name for name in _installed() if name not in PACKAGES][: count // 10]
    settings = [name for name in _settings() if name not in SETTINGS][: count // 20]
    places = [path for folder in ("/usr/bin", "/usr/sbin", "/usr/share/doc") for path in _inside(folder)]
    files = [path for path in places if path not in THERE][: count - len(packages) - len(settings)]
    return tuple(
        [Thing({"check": "package", "name": name}, "") for name in packages]
        + [Thing({"check": "sysctl", "name": name}, "") for name in settings]
        + [Thing({"check": "file", "path": path, "follow": False}, "") for path in files]
    )


def _installed() -> list[str]:
    blocks = Path("/var/lib/dpkg/status").read_text("utf-8").split("\n\n")
    return [each.splitlines()[0].split()[1] for each in blocks if "\nStatus: install ok installed\n" in each]


def _settings() -> Iterator[str]:
    for folder in ("fs", "kernel", "vm"):
        for path in sorted(Path("/proc/sys", folder).iterdir()):
            if path.is_file() and path.stat().st_mode & 0o444 == 0o444:
                yield f"{folder}.{path.name}"


def _inside(folder: str) -> list[str]:
    return sorted(map(str, Path(folder).iterdir()))


def pack(things: Sequence[Thing]) -> Mapping[str, object]:
    """The rules as a pack's file has them."""
    return {"commands": True, "rules": {f"thing.{at:04}": each.rule for at, each in enumerate(things)}}


def tests(things: Sequence[Thing]) -> str:
    """The text of a module of tests, one test each."""
    return "import time\n" + "".join(
        f"\n\ndef test_{at:04}(host):\n    assert {each.test}\n" for at, each in enumerate(things)
    )
