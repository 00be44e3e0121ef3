"""Lists hosts that this member knows: kernel neighbours, connections, known_hosts and LLDP. Reads only."""

import json
import os
import socket
import struct
import subprocess

MAX_BYTES = 1 << 20  # bytes of a file that are read
LLDP = ("lldpcli", "-f", "json", "show", "neighbors")
LLDP_TIMEOUT = 5.0  # seconds
_GET_ADDRESSES, _GET_NEIGHBOURS = 22, 30  # RTM_GETADDR, RTM_GETNEIGH of linux/rtnetlink.h
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DONE, _ERROR = 3, 2
_NOT_THERE = 0x01 | 0x20 | 0x40  # NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP
_ESTABLISHED = "01"
_FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}


def neighbours(request):
    """Return own, neighbours, connections: [address, ...]; known: [[word, ...], ...]; lldp: [[name, address], ...].

    `known`: the names and addresses of each line of known_hosts that is not hashed.
    """
    request.heartbeat()
    return {
        "own": sorted(_own_addresses()),
        "neighbours": sorted(_neighbour_table()),
        "connections": sorted(_connections()),
        "known": _known_hosts(),
        "lldp": _lldp(),
    }


def _own_addresses():
    for _, attributes in _netlink_dump(_GET_ADDRESSES, 8):
        for kind in (1, 2):  # IFA_ADDRESS, IFA_LOCAL
            if kind in attributes:
                yield _address_text(attributes[kind])


def _neighbour_table():
    for head, attributes in _netlink_dump(_GET_NEIGHBOURS, 12):
        state = struct.unpack("=H", head[8:10])[0]
        if 1 in attributes and 2 in attributes and not state & _NOT_THERE:  # NDA_DST, NDA_LLADDR
            yield _address_text(attributes[1])


def _address_text(packed):
    family = _FAMILIES.get(len(packed))
    return socket.inet_ntop(family, packed) if family is not None else ""


def _netlink_dump(kind, size):
    """Yield (head, {type: value}) of each object that the kernel lists. `size`: bytes of a head."""
    if not hasattr(socket, "AF_NETLINK"):
        return
    try:
        asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    except OSError:
        return
    with asking:
        asking.settimeout(5.0)
        asking.send(struct.pack("=IHHII", 16 + size, kind, _DUMP, 1, 0) + b"\0" * size)
        while True:
            answer = asking.recv(1 << 17)
            while len(answer) >= 16:
                length, what = struct.unpack("=IH", answer[:6])
                if what in (_DONE, _ERROR) or length < 16:
                    return
                body = answer[16:length]
                yield body[:size], _attributes(body[size:])
                answer = answer[(length + 3) & ~3 :]
            if not answer and length < 16:
                return


def _attributes(packed):
    found = {}
    while len(packed) >= 4:
        length, kind = struct.unpack("=HH", packed[:4])
        if length < 4:
            break
        found[kind & 0x3FFF] = packed[4:length]
        packed = packed[(length + 3) & ~3 :]
    return found


def _connections():
    """Return the remote addresses of open TCP connections."""
    found = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read_lines(path)[1:]:
            words = line.split()
            if len(words) > 3 and words[3] == _ESTABLISHED:
                packed = bytes.fromhex(words[2].split(":")[0])
                # Words of four bytes in native byte order.
                numbers = struct.unpack("=%dI" % (len(packed) // 4), packed)
                found.add(_address_text(struct.pack("!%dI" % len(numbers), *numbers)))
    return found


def _known_hosts():
    found = []
    for path in (os.path.expanduser("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"):
        for line in _read_lines(path):
            words = line.split()
            if words and words[0].startswith("@"):
                words = words[1:]
            if words and words[0][0] not in "#|" and not set("*?!") & set(words[0]):
                found.append([_strip_port(word) for word in words[0].split(",")])
    return found


def _strip_port(word):
    """Return the name in `[name]:port`."""
    return word[1 : word.index("]")] if word.startswith("[") and "]" in word else word


def _lldp():
    """Return the neighbours of lldpd, if it runs and this user may ask it."""
    try:
        done = subprocess.run(LLDP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=LLDP_TIMEOUT, check=False)  # fmt: skip
        reported = json.loads(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return lldp_chassis(reported)


def lldp_chassis(reported):
    """Return [name, address] of every chassis, at any depth: the layout differs between releases."""
    found, todo = [], [reported]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            found += _addresses(each.get("chassis"))
            todo += [value for key, value in each.items() if key != "chassis"]
    return found


def _addresses(chassis):
    """Return [name, address] of one chassis table. An address may be a string or a list."""
    reported = []
    for name, one in chassis.items() if isinstance(chassis, dict) else ():
        addresses = one.get("mgmt-ip", []) if isinstance(one, dict) else []
        reported += [[name, str(each)] for each in (addresses if isinstance(addresses, list) else [addresses])]
    return reported


def _read_lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_BYTES).splitlines()
    except OSError:
        return []
