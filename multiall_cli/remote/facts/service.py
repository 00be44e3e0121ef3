"""The service fact, from systemd, OpenRC or sysvinit."""

import glob
import os
import shutil

from multiall_cli.remote.facts.sources import CollectError, run
from multiall_cli.remote.facts.systemd import BROKEN, LOADED, properties


def service(name):
    """present, running, enabled, masked: as systemd says, else as its pid file and its links in /etc do."""
    if not os.path.isdir("/run/systemd/system"):
        return _from_init_scripts(name)
    unit = unit_name(name)
    found = properties(unit, PROPERTIES)
    if found.get("UnitFileState") == "alias" and found.get("Id") not in (None, "", unit):
        found = dict(properties(found["Id"], PROPERTIES))
    return service_values(found)


def unit_name(name):
    """The unit that a name is of: a service, where it does not end as another kind does."""
    return name if name.endswith(UNIT_SUFFIXES) else name + ".service"


def service_values(found):
    """From what systemd shows of a unit. Errors: Trouble where it speaks of a state that is not known here."""
    load, file = found.get("LoadState", ""), found.get("UnitFileState", "")
    if load not in LOADED and load != "not-found":
        raise CollectError("systemd says LoadState=%s of it; look at it with `systemctl status`" % load)
    values = {"present": load in LOADED, "running": found.get("ActiveState") in ("active", "reloading", "refreshing"),
            "masked": file == "masked"}  # fmt: skip
    if load in LOADED and file not in ENABLED and file not in NOT_ENABLED and file not in IF_WANTED:
        raise CollectError("systemd says UnitFileState=%s of it; look at it with `systemctl is-enabled`" % file)
    wanted = any(found.get(each) for each in DEPENDENTS)
    values["enabled"] = load in ("loaded", "merged") and (file in ENABLED or (file in IF_WANTED and wanted))
    if load in LOADED and not values["enabled"]:
        words = "%s, and nothing starts it" % file if file in IF_WANTED else NOT_ENABLED.get(file, file)
        values["why"] = "its unit cannot be loaded: %s" % load if load in BROKEN else words
    return values


UNIT_SUFFIXES = (
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
ENABLED = ("enabled",)
IF_WANTED = ("static", "indirect", "generated", "alias", "")
"""What is started at the next start where another unit wants it: without [Install], or of a SysV script."""
NOT_ENABLED = {
    "disabled": "disabled",
    "enabled-runtime": "enabled-runtime: until the next start only",
    "linked": "linked, and not enabled",
    "linked-runtime": "linked until the next start only",
    "masked": "masked",
    "masked-runtime": "masked-runtime: until the next start only",
    "transient": "transient: it is gone with the next start",
    "bad": "its unit file makes no sense",
}
DEPENDENTS = ("WantedBy", "RequiredBy", "UpheldBy", "TriggeredBy")
PROPERTIES = ",".join(("Id", "LoadState", "ActiveState", "UnitFileState") + DEPENDENTS)


def _from_init_scripts(name):
    """Of sysvinit and OpenRC."""
    if not os.path.exists("/etc/init.d/" + name):
        return {"present": False, "running": False, "enabled": False, "masked": False}
    argv = ["rc-service", name] if shutil.which("rc-service") else ["service", name]
    links = glob.glob("/etc/rc[2-5].d/S??" + glob.escape(name)) + glob.glob("/etc/runlevels/*/" + glob.escape(name))
    return {"present": True, "running": run(argv + ["status"])[0] == 0, "enabled": bool(links), "masked": False}
