"""Gauges of the system: processes, memory, kernel, users, packages and services."""

import glob
import grp
import os
import pwd
import subprocess
import time

OUTPUT = 1 << 16  # bytes of a program's output that are read


def _read(path):
    with open(path, errors="surrogateescape") as opened:
        return opened.read()


def _processes():
    """(name, state, uid, seconds since it began) of each that is still there."""
    booted = time.time() - float(_read("/proc/uptime").split()[0])
    ticks = os.sysconf("SC_CLK_TCK")
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = _read("/proc/%s/stat" % number)
            user = os.stat("/proc/" + number).st_uid
        except OSError:
            continue  # it has just ended
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        yield name, rest[0], user, max(0.0, time.time() - booted - int(rest[19]) / ticks)


def process(name, user=None):
    """count of those with this name (the kernel's, at most 15 letters), of a user where one is named; age (s)."""
    wanted = None if user is None else pwd.getpwnam(user).pw_uid
    ages = [age for each, state, uid, age in _processes()
            if each == name[:15] and state != "Z" and wanted in (None, uid)]  # fmt: skip
    return {"count": len(ages), "age": max(ages)} if ages else {"count": 0}


def zombies():
    return {"count": sum(1 for _, state, _, _ in _processes() if state == "Z")}


def load():
    """one, five, fifteen: the load averages for each processor."""
    one, five, fifteen = (each / (os.cpu_count() or 1) for each in os.getloadavg())
    return {"one": one, "five": five, "fifteen": fifteen}


def _memory():
    pairs = (line.split(":", 1) for line in _read("/proc/meminfo").splitlines() if ":" in line)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def memory():
    """available: the share that programs can still be given; free: in bytes; swap: the share of it that is used."""
    found = _memory()
    total, swap = found["MemTotal"], found.get("SwapTotal", 0)
    available = found.get("MemAvailable", found["MemFree"])
    used = (swap - found.get("SwapFree", 0)) / swap if swap else 0.0
    return {"available": available / total, "free": available, "swap": used}


def pressure(resource):
    """some, full: the share of the last minute in which tasks waited for it (PSI)."""
    told = {}
    for line in _read("/proc/pressure/" + resource).splitlines():
        words = line.split()
        told[words[0]] = float(words[2].split("=")[1]) / 100
    return told


def open_files():
    used, _, most = _read("/proc/sys/fs/file-nr").split()
    return {"used": int(used) / int(most)}


def uptime():
    return {"age": float(_read("/proc/uptime").split()[0])}


def clock():
    """now: seconds since the epoch here; the admin host compares."""
    return {"now": time.time()}


def sysctl(name):
    try:
        return {"present": True, "value": " ".join(_read("/proc/sys/" + name.replace(".", "/")).split())}
    except FileNotFoundError:
        return {"present": False}


def module(name):
    loaded = {line.split(" ", 1)[0] for line in _read("/proc/modules").splitlines()}
    return {"present": name.replace("-", "_") in loaded or os.path.isdir("/sys/module/" + name.replace("-", "_"))}


def reboot():
    """needed: whether a package asked for one (Debian), or the running kernel's modules are gone."""
    release = os.uname().release
    kernels = glob.glob("/lib/modules/*")
    return {
        "needed": os.path.exists("/run/reboot-required") or bool(kernels and "/lib/modules/" + release not in kernels)
    }


def user(name):
    """present, uid, home, shell, groups."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return {"present": False}
    groups = sorted({each.gr_name for each in grp.getgrall() if name in each.gr_mem or each.gr_gid == found.pw_gid})
    return {"present": True, "uid": found.pw_uid, "home": found.pw_dir, "shell": found.pw_shell, "groups": groups}


def group(name):
    try:
        found = grp.getgrnam(name)
    except KeyError:
        return {"present": False}
    return {"present": True, "gid": found.gr_gid, "members": sorted(found.gr_mem)}


def package(name):
    """present, version: of dpkg, read from its own table, else of rpm."""
    if os.path.exists("/var/lib/dpkg/status"):
        return _of_dpkg(name)
    told = _output(["rpm", "-q", "--qf", "%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", "--", name])
    return (
        {"present": told[0] == 0, "version": told[1].strip().splitlines()[-1]} if told[0] == 0 else {"present": False}
    )


def _of_dpkg(name):
    wanted, held = "Package: " + name, {}
    for block in _read("/var/lib/dpkg/status").split("\n\n"):
        if block.startswith(wanted + "\n"):
            held = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
            if held.get("Status", "").endswith(" installed"):
                return {"present": True, "version": held.get("Version", "")}
    return {"present": False}


def service(name):
    """present, running, enabled: as systemd says, else as its pid file and its links in /etc/rc*.d do."""
    if not os.path.isdir("/run/systemd/system"):
        return _of_sysv(name)
    unit = name if "." in name else name + ".service"
    properties = "LoadState,ActiveState,UnitFileState"
    told = _output(["systemctl", "show", "-p", properties, "--", unit])[1]
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return {
        "present": found.get("LoadState") == "loaded",
        "running": found.get("ActiveState") in ("active", "reloading"),
        "enabled": found.get("UnitFileState", "") in ("enabled", "enabled-runtime", "static", "alias", "generated"),
    }


def _of_sysv(name):
    script = "/etc/init.d/" + name
    if not os.path.exists(script):
        return {"present": False, "running": False, "enabled": False}
    return {
        "present": True,
        "running": _output(["service", name, "status"])[0] == 0,
        "enabled": bool(glob.glob("/etc/rc[2-5].d/S??" + name)),
    }


def failed_units():
    told = _output(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])[1]
    names = [line.split()[0] for line in told.splitlines() if line.strip()]
    return {"count": len(names), "names": names}


def command(argv):
    """exit, output (its first 64 KiB)."""
    code, told = _output(argv)
    return {"exit": code, "output": told}


def _output(argv):
    """Errors: OSError where it does not start. It ends with this process's group, so it needs no limit of its own."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, LC_ALL="C"))  # fmt: skip
    told = b""
    with child, child.stdout or open(os.devnull, "rb") as output:
        for piece in iter(lambda: output.read(OUTPUT), b""):
            told = told or piece
    return child.returncode, told.decode("utf-8", "replace")
