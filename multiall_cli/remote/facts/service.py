"""The service fact, from systemd, OpenRC or sysvinit."""

import glob
import os
import shutil

from multiall_cli.remote.facts.sources import Trouble, output
from multiall_cli.remote.facts.systemd import BROKEN, THERE, properties


def service(name):
    """present, running, enabled, masked: as systemd says, else as its pid file and its links in /etc do."""
    if not os.path.isdir("/run/systemd/system"):
        return _of_scripts(name)
    unit = unit_of(name)
    found = properties(unit, SHOWN)
    if found.get("UnitFileState") == "alias" and found.get("Id") not in (None, "", unit):
        found = dict(properties(found["Id"], SHOWN))
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
