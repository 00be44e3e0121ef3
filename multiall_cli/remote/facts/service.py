"""The service fact, from systemd, OpenRC or sysvinit."""

import glob
import os
import shutil

from multiall_cli.remote.facts.sources import CollectError, run
from multiall_cli.remote.facts.systemd import BROKEN, LOADED, properties


def service(name):
    """Return present, running, enabled and masked, from systemd or from the init scripts."""
    if not os.path.isdir("/run/systemd/system"):
        return _from_init_scripts(name)
    unit = unit_name(name)
    found = properties(unit, PROPERTIES)
    if found.get("UnitFileState") == "alias" and found.get("Id") not in (None, "", unit):
        found = dict(properties(found["Id"], PROPERTIES))
    return service_values(found)


def unit_name(name):
    """Return the unit of a name; a name without a known suffix is a service."""
    return name if name.endswith(UNIT_SUFFIXES) else name + ".service"


def service_values(found):
    """Return the values of a unit from its properties in systemd. Raises CollectError on an unknown state."""
    load, file = found.get("LoadState", ""), found.get("UnitFileState", "")
    if load not in LOADED and load != "not-found":
        raise CollectError("systemd reports the unknown LoadState=%s; see `systemctl status`" % load)
    values = {"present": load in LOADED, "running": found.get("ActiveState") in ("active", "reloading", "refreshing"),
            "masked": file == "masked"}  # fmt: skip
    if load in LOADED and file not in ENABLED and file not in NOT_ENABLED and file not in IF_WANTED:
        raise CollectError("systemd reports the unknown UnitFileState=%s; see `systemctl is-enabled`" % file)
    wanted = any(found.get(each) for each in DEPENDENTS)
    values["enabled"] = load in ("loaded", "merged") and (file in ENABLED or (file in IF_WANTED and wanted))
    if load in LOADED and not values["enabled"]:
        words = "%s, and no enabled unit wants it" % file if file in IF_WANTED else NOT_ENABLED.get(file, file)
        values["why"] = "the unit cannot be loaded: %s" % load if load in BROKEN else words
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
"""States of units that start at boot only if another unit wants them."""
NOT_ENABLED = {
    "disabled": "disabled",
    "enabled-runtime": "enabled-runtime: until the next boot only",
    "linked": "linked, but not enabled",
    "linked-runtime": "linked until the next boot only",
    "masked": "masked",
    "masked-runtime": "masked-runtime: until the next boot only",
    "transient": "transient: gone after the next boot",
    "bad": "the unit file is invalid",
}
DEPENDENTS = ("WantedBy", "RequiredBy", "UpheldBy", "TriggeredBy")
PROPERTIES = ",".join(("Id", "LoadState", "ActiveState", "UnitFileState") + DEPENDENTS)


def _from_init_scripts(name):
    """Return the values of a service of sysvinit or OpenRC."""
    if not os.path.exists("/etc/init.d/" + name):
        return {"present": False, "running": False, "enabled": False, "masked": False}
    argv = ["rc-service", name] if shutil.which("rc-service") else ["service", name]
    links = glob.glob("/etc/rc[2-5].d/S??" + glob.escape(name)) + glob.glob("/etc/runlevels/*/" + glob.escape(name))
    return {"present": True, "running": run(argv + ["status"])[0] == 0, "enabled": bool(links), "masked": False}
