"""A host's disk: the machine's system below, a layer that all hosts share, and its own layer on top."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.lab.real import services, syscalls

SYSTEM = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "var", "opt"})
"""What a host sees of the machine's `/`. Its other folders (homes, work trees, mounts) are empty and its own."""
HIDDEN = ("etc/ssh", "etc/cron.d", "etc/sudoers.d", "var/tmp", "var/spool/cron")
OPAQUE = "trusted.overlay.opaque"


@dataclass(frozen=True, slots=True)
class HostDisks:
    """The hosts' disks, below a tmpfs that only the supervisor's mount namespace has."""

    place: Path
    size: str

    def make(self, key: str, asked: tuple[str, ...]) -> None:
        """Make the tmpfs and the shared layer. `key`: the public key that logs in; `asked`: services."""
        self.place.mkdir(exist_ok=True)
        # Overlay refuses an upper layer inside its lower one: so this must not be on the machine's own disk.
        syscalls.mount("tmpfs", str(self.place), "tmpfs", 0, "mode=755")
        shared = self.place / "shared"
        shared.mkdir()
        for entry in sorted(os.scandir("/"), key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False) and entry.name not in SYSTEM:
                _opaque(shared / entry.name, entry.stat(follow_symlinks=False).st_mode)
        for inner in HIDDEN:
            if Path("/", inner).is_dir():
                _opaque(shared / inner, Path("/", inner).stat().st_mode)
        (shared / "tmp").chmod(0o1777)
        (shared / "root").chmod(0o700)
        _write(shared / services.INIT_PATH[1:], services.INIT, 0o755)
        _write(shared / "etc/multiall-lab/services", "\n".join(asked) + "\n")
        _write(shared / "etc/ssh/sshd_config", services.SSHD)
        _write(shared / "etc/ssh/sshd_config.d/README", "")
        _write(shared / "etc/ssh/lab_keys", key)
        _write(shared / "etc/resolv.conf", services.RESOLV)
        _write(shared / "etc/dpkg/dpkg.cfg.d/lab", "force-unsafe-io\n")
        _write(shared / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755)  # image builders forbid services
        if Path("/etc/mysql/mariadb.conf.d").is_dir():
            _write(shared / "etc/mysql/mariadb.conf.d/99-lab.cnf", services.SMALL_MARIADB)
        units = shared / "etc/systemd/system"
        units.mkdir(parents=True)
        for unit in services.MASKED:
            (units / unit).symlink_to("/dev/null")
        for service in asked:
            _enable_service(units, service)

    def renew(self, name: str, host_key: str, hosts: str) -> None:
        """Make a clean disk for a host that is not running. `hosts`: its /etc/hosts."""
        here = self.place / name
        if here.exists():
            syscalls.unmount(str(here))
        here.mkdir(exist_ok=True)
        syscalls.mount("tmpfs", str(here), "tmpfs", 0, f"size={self.size},mode=755")
        upper = here / "upper"
        upper.mkdir(0o755)
        for folder in ("work", "root"):
            (here / folder).mkdir()
        _write(upper / "etc/hostname", f"{name}\n")
        _write(upper / "etc/hosts", hosts)
        _write(upper / "etc/machine-id", f"{_number(name):032x}\n", 0o444)
        _write(upper / "etc/ssh/host_key", host_key, 0o600)

    def assemble(self, name: str) -> str:
        """Mount a host's root in the caller's mount namespace; return its path."""
        os.chdir(self.place)  # relative names: ours have no colon or comma, but the lab's folder might
        root = f"{name}/root"
        layers = f"lowerdir=shared:/,upperdir={name}/upper,workdir={name}/work"
        syscalls.mount("overlay", root, "overlay", 0, layers)
        return str(self.place / root)

    def fill(self, name: str) -> None:
        """Fill a host's disk, as a runaway log would."""
        free = os.statvfs(self.place / name)
        with (self.place / name / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(free.f_bavail * free.f_frsize, 1))

    def free(self, name: str) -> None:
        (self.place / name / "filler").unlink(missing_ok=True)


def mount_system(root: str, own: Mapping[str, str]) -> None:
    """Mount the file systems of a running system below a host's root. `own`: files bound over the machine's."""
    syscalls.mount("proc", f"{root}/proc", "proc", syscalls.NOSUID | syscalls.NODEV | syscalls.NOEXEC)
    syscalls.mount("tmpfs", f"{root}/run", "tmpfs", syscalls.NOSUID | syscalls.NODEV, "mode=755,size=64m")
    syscalls.mount("tmpfs", f"{root}/dev", "tmpfs", syscalls.NOSUID, "mode=755,size=64k")
    before = os.umask(0)
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)):
        os.mknod(f"{root}/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    os.mknod(f"{root}/dev/tty", 0o666 | stat.S_IFCHR, os.makedev(5, 0))
    os.umask(before)
    for name in ("pts", "shm"):
        Path(root, "dev", name).mkdir()
    syscalls.mount("devpts", f"{root}/dev/pts", "devpts", syscalls.NOSUID | syscalls.NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620,gid=5")  # fmt: skip
    syscalls.mount("tmpfs", f"{root}/dev/shm", "tmpfs", syscalls.NOSUID | syscalls.NODEV, "mode=1777")  # noqa: S108
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    os.symlink("pts/ptmx", f"{root}/dev/ptmx")
    # The kernel's settings are the machine's: a host may change only those of its network.
    syscalls.mount(f"{root}/proc/sys", f"{root}/proc/sys", None, syscalls.BIND)
    syscalls.mount(f"{root}/proc/sys/net", f"{root}/proc/sys/net", None, syscalls.BIND)
    syscalls.mount(None, f"{root}/proc/sys", None, syscalls.BIND | syscalls.REMOUNT | syscalls.READ_ONLY)
    for file, text in own.items():
        aside = Path(root, "run", f"lab-{Path(file).name}")
        aside.write_text(text, "ascii")
        syscalls.mount(str(aside), f"{root}{file}", None, syscalls.BIND)
    for file in ("sysrq-trigger", "kcore"):
        if Path(root, "proc", file).exists():
            syscalls.mount("/dev/null", f"{root}/proc/{file}", None, syscalls.BIND)
    syscalls.mount(
        "sysfs", f"{root}/sys", "sysfs", syscalls.NOSUID | syscalls.NODEV | syscalls.NOEXEC | syscalls.READ_ONLY
    )


def _write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    file.chmod(mode)


def _opaque(folder: Path, mode: int) -> None:
    """Make an empty folder in place of the machine's."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(stat.S_IMODE(mode))
    os.setxattr(folder, OPAQUE, b"y")


def _enable_service(units: Path, service: str) -> None:
    """Start a service at boot if systemd is PID 1."""
    unit = Path("/lib/systemd/system", f"{service}.service")
    if unit.exists():
        wants = units / "multi-user.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / unit.name).symlink_to(unit)


def _number(name: str) -> int:
    """Return the number for a machine id: the same for the same name."""
    return int.from_bytes(name.encode()[:16].rjust(16, b"m"), "big")
