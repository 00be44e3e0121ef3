"""The package fact: an installed version, from dpkg or rpm."""

import os

from multiall_cli.remote.facts.sources import failed, output
from multiall_cli.remote.formats import package_versions
from multiall_cli.remote.formats.package_tables import versions_of


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
