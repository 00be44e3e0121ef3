"""Gauges of packages, services, timers, containers and commands."""

import calendar
import glob
import json
import os
import re
import shutil
import time

from multiall_cli.remote.facts.sources import OUTPUT, Trouble, Unsupported, captured, failed, found_in, of, output
from multiall_cli.remote.formats import package_versions

INSPECTED = 1 << 22  # bytes of what is told of a container


def package(name, at_least=None):
    """present, version: of dpkg, read from its own table, else of rpm; recent: whether it is new enough."""
    of_dpkg = os.path.exists("/var/lib/dpkg/status")
    version = _of_dpkg(name) if of_dpkg else _of_rpm(name)
    told: "dict[str, object]" = {"present": version is not None}
    if version is not None:
        told["version"] = version
        if at_least is not None:
            compared = package_versions.of_debian if of_dpkg else package_versions.of_rpm
            told["recent"] = compared(version, at_least) >= 0
            told["why"] = "it is %s, and %s is wanted" % (version, at_least)
    return told


def _of_rpm(name):
    argv = ["rpm", "-q", "--qf", "%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", "--", name]
    code, told, complaints = output(argv)
    if code == 0:
        return told.strip().splitlines()[-1]
    if "is not installed" in told:
        return None
    raise failed(argv, code, complaints)


_TABLE: "dict[str, str]" = {}
"""dpkg's table, as it was when a look first asked for it: each look is a process of its own."""


def _of_dpkg(name):
    if not _TABLE:
        with open("/var/lib/dpkg/status", errors="surrogateescape") as opened:
            _TABLE.update(versions_of(opened.read()))
    return _TABLE.get(name)


def versions_of(text):
    """name → version of each installed package in dpkg's table; also by name and architecture."""
    found: "dict[str, str]" = {}
    for block in text.split("\n\n"):
        name = _field(block, "Package: ")
        if name and _field(block, "Status: ").endswith(" installed"):
            for each in (name, "%s:%s" % (name, _field(block, "Architecture: "))):
                found.setdefault(each, _field(block, "Version: "))  # of several architectures the first
    return found


def _field(block, label):
    """What stands behind a label at the begin of a line; '' where there is none."""
    return ("\n" + block).partition("\n" + label)[2].partition("\n")[0]


def _properties(unit, names):
    """What systemd says of a unit."""
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("it does not run systemd")
    told = of(["systemctl", "show", "-p", names, "--", unit])
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def service(name):
    """present, running, enabled, masked: as systemd says, else as its pid file and its links in /etc do."""
    if not os.path.isdir("/run/systemd/system"):
        return _of_scripts(name)
    unit = unit_of(name)
    found = _properties(unit, SHOWN)
    if found.get("UnitFileState") == "alias" and found.get("Id") not in (None, "", unit):
        found = dict(_properties(found["Id"], SHOWN))
    return service_of(found)


def unit_of(name):
    """The unit that a name is of: a service, where it does not end as another kind does."""
    return name if name.endswith(KINDS) else name + ".service"


def service_of(found):
    """From what systemd shows of a unit. Errors: Trouble where it speaks of a state that is not known here."""
    load, file = found.get("LoadState", ""), found.get("UnitFileState", "")
    if load not in THERE and load != "not-found":
        raise Trouble("systemd says LoadState=%s of it; look at it with `systemctl status`" % load)
    told = {"present": load in THERE, "running": found.get("ActiveState") in ("active", "reloading", "refreshing"),
            "masked": file == "masked"}  # fmt: skip
    if load in THERE and file not in AT_START and file not in NOT_AT_START and file not in AS_WANTED:
        raise Trouble("systemd says UnitFileState=%s of it; look at it with `systemctl is-enabled`" % file)
    wanted = any(found.get(each) for each in WANTS)
    told["enabled"] = load in ("loaded", "merged") and (file in AT_START or (file in AS_WANTED and wanted))
    if load in THERE and not told["enabled"]:
        words = "%s, and nothing starts it" % file if file in AS_WANTED else NOT_AT_START.get(file, file)
        told["why"] = "its unit cannot be loaded: %s" % load if load in BROKEN else words
    return told


KINDS = (
    ".service",
    ".socket",
    ".target",
    ".timer",
    ".mount",
    ".automount",
    ".swap",
    ".path",
    ".slice",
    ".scope",
    ".device",
)
BROKEN = ("error", "bad-setting")
THERE = ("loaded", "merged", "masked") + BROKEN
AT_START = ("enabled",)
AS_WANTED = ("static", "indirect", "generated", "alias", "")
"""What is started at the next start where another unit wants it: without [Install], or of a SysV script."""
NOT_AT_START = {
    "disabled": "disabled",
    "enabled-runtime": "enabled-runtime: until the next start only",
    "linked": "linked, and not enabled",
    "linked-runtime": "linked until the next start only",
    "masked": "masked",
    "masked-runtime": "masked-runtime: until the next start only",
    "transient": "transient: it is gone with the next start",
    "bad": "its unit file makes no sense",
}
WANTS = ("WantedBy", "RequiredBy", "UpheldBy", "TriggeredBy")
SHOWN = ",".join(("Id", "LoadState", "ActiveState", "UnitFileState") + WANTS)


def _of_scripts(name):
    """Of sysvinit and OpenRC."""
    if not os.path.exists("/etc/init.d/" + name):
        return {"present": False, "running": False, "enabled": False, "masked": False}
    argv = ["rc-service", name] if shutil.which("rc-service") else ["service", name]
    links = glob.glob("/etc/rc[2-5].d/S??" + glob.escape(name)) + glob.glob("/etc/runlevels/*/" + glob.escape(name))
    return {"present": True, "running": output(argv + ["status"])[0] == 0, "enabled": bool(links), "masked": False}


def timer(name):
    """present, running, last: seconds since it started its unit, where it ever did."""
    unit = name if name.endswith(".timer") else name + ".timer"
    return timer_of(_properties(unit, "LoadState,ActiveState,LastTriggerUSec"), time.time())


def timer_of(found, now):
    told = {"present": found.get("LoadState") in THERE, "running": found.get("ActiveState") == "active"}
    when = re.match(r"(?:\w+ )?(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)(?:\.\d+)? UTC$", found.get("LastTriggerUSec", ""))
    if when is not None:
        told["last"] = max(0.0, now - calendar.timegm(tuple(int(each) for each in when.groups()) + (0, 0, 0)))
    return told


def failed_units():
    if not os.path.isdir("/run/systemd/system"):
        raise Unsupported("it does not run systemd")
    told = of(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])
    names = [line.split()[0] for line in told.splitlines() if line.strip()]
    return {"count": len(names), "names": names}


def container(name):
    """present, running, health (where it has a check of its own), restarts: of docker or podman."""
    programs = [each for each in ("docker", "podman") if shutil.which(each)]
    if not programs:
        raise Unsupported("it has neither docker nor podman")
    trouble = None
    for program in programs:
        argv = [program, "container", "inspect", "--", name]
        code, told, complaints = output(argv, INSPECTED)
        if code == 0:
            return container_of(told)
        if not re.search("no such container", complaints, re.IGNORECASE):
            trouble = trouble or failed(argv, code, complaints)
    if trouble is not None:
        raise trouble
    return {"present": False}


def container_of(text):
    found = json.loads(text)[0]
    state = found["State"]
    told: "dict[str, object]" = {"present": True, "running": bool(state["Running"])}
    health = (state.get("Health") or state.get("Healthcheck") or {}).get("Status")
    if health:
        told["health"] = health
    if "RestartCount" in found:
        told["restarts"] = int(found["RestartCount"])
    return told


def command(argv, stdout=None, stderr=None):
    """exit; output, where it is no more than 64 KiB; stdout_matches, stderr_matches, where patterns are given."""
    code, told, complaints = captured(argv, OUTPUT + 1, whole=True)
    found, why = {"exit": code}, {}
    if len(told) <= OUTPUT:
        found["output"] = told.decode("utf-8", "replace")
    else:
        why["output"] = "it printed more than %d bytes" % OUTPUT
    for name, pattern, content in (("stdout_matches", stdout, told), ("stderr_matches", stderr, complaints)):
        if pattern is not None:
            searched = found_in(pattern, content, OUTPUT, name)
            why.update(searched.pop("why", {}))
            found.update(searched)
    return dict(found, why=why) if why else found
