"""Lists what a server runs, to generate rules from: services, ports, file systems and users. Reads only."""

import glob
import os
import pwd

from multiall_cli.remote.facts import mount, port, service
from multiall_cli.remote.facts.sources import CollectError, checked_output

LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "vfat", "f2fs", "jfs", "reiserfs")
REMOTE = ("nfs", "nfs4", "cifs", "glusterfs", "ceph")
_NO_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")
_LOGIN_UIDS = range(1000, 60000)  # login.defs: uids of login users


def service_inventory(request):
    """Return services: [name]; ports: [[number, [address]]]; mounts: [[path, type]]; users: [[name, shell]].

    A list that cannot be read is missing, and `troubles` has the reason: {name: text}.
    """
    found: "dict[str, object]" = {}
    troubles = {}
    for name, read_text in (("services", _services), ("ports", _ports), ("mounts", _mounts), ("users", _users)):
        request.heartbeat()
        try:
            found[name] = read_text()
        except (CollectError, OSError, ValueError) as fault:
            troubles[name] = str(fault)
    found["troubles"] = troubles
    return found


def _services():
    """Return the services that run now and start at boot."""
    if os.path.isdir("/run/systemd/system"):
        flags = ["--type=service", "--plain", "--no-legend", "--no-pager"]
        running = service_names(checked_output(["systemctl", "list-units", "--state=running"] + flags, MAX_LISTING))
        return sorted(
            running
            & service_names(
                checked_output(["systemctl", "list-unit-files", "--state=enabled"] + flags[:1] + flags[2:], MAX_LISTING)
            )
        )
    names = {os.path.basename(link)[3:] for link in glob.glob("/etc/rc[2-5].d/S??*")}
    return sorted(name for name in names if service.service(name).get("running"))


MAX_LISTING = 1 << 20  # bytes of a list of units


def service_names(text):
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    return {_short(word) for word in words if word.endswith(".service")}


def _short(unit):
    """Return a unit without `.service`, if that is unambiguous: `x.timer.service` is not `x.timer`."""
    short = unit[: -len(".service")]
    return short if service.unit_name(short) == unit else unit


def _ports():
    found: "dict[int, set[str]]" = {}
    for address, number in port.listeners("tcp"):
        found.setdefault(number, set()).add(address)
    return [[number, sorted(found[number])] for number in sorted(found)]


def _mounts():
    shown = {path: kind for path, kind, _ in mount.mounts() if kind in LOCAL + REMOTE or path == "/"}
    return [[path, shown[path]] for path in sorted(shown)]


def _users():
    people = [each for each in pwd.getpwall() if each.pw_uid in _LOGIN_UIDS]
    return sorted([each.pw_name, each.pw_shell] for each in people if not each.pw_shell.endswith(_NO_SHELLS))
