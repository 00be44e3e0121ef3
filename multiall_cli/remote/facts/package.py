"""The package fact: an installed version, from dpkg or rpm."""

import os

from multiall_cli.remote.facts.sources import command_error, run
from multiall_cli.remote.formats import package_versions
from multiall_cli.remote.formats.package_tables import parse_dpkg_status


def package(name, at_least=None):
    """Return present and version, from dpkg's status file or from rpm; recent: the version is `at_least`."""
    is_dpkg = os.path.exists("/var/lib/dpkg/status")
    version = _dpkg_version(name) if is_dpkg else _rpm_version(name)
    values: "dict[str, object]" = {"present": version is not None}
    if version is not None:
        values["version"] = version
        if at_least is not None:
            compared = package_versions.compare_debian if is_dpkg else package_versions.compare_rpm
            values["recent"] = compared(version, at_least) >= 0
            values["why"] = "the version is %s; at least %s is required" % (version, at_least)
    return values


def _rpm_version(name):
    argv = ["rpm", "-q", "--qf", "%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", "--", name]
    code, values, stderr = run(argv)
    if code == 0:
        return values.strip().splitlines()[-1]
    if "is not installed" in values:
        return None
    raise command_error(argv, code, stderr)


_DPKG: "dict[str, str]" = {}
"""Versions by name, read once: each reading runs in its own process."""


def _dpkg_version(name):
    if not _DPKG:
        with open("/var/lib/dpkg/status", errors="surrogateescape") as opened:
            _DPKG.update(parse_dpkg_status(opened.read()))
    return _DPKG.get(name)
