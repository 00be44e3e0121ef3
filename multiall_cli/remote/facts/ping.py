"""The ping fact: ICMP echo."""

import errno
import os
import re
import select
import shutil
import socket
import struct
import time

from multiall_cli.remote.facts.sources import Unsupported, run

ECHOES = 3
INTERVAL = 1.0  # seconds between two echo requests


def ping(address):
    """Return open and took (seconds), of the first of three echoes that is answered."""
    try:
        family, _, _, _, place = socket.getaddrinfo(address, None, 0, socket.SOCK_DGRAM)[0]
    except (socket.gaierror, UnicodeError) as fault:
        return {"open": False, "why": str(fault)}
    opened = _socket(family)
    if opened is None:
        return _run_ping(address)
    with opened[0]:
        return _send_echoes(opened[0], opened[1], family, place)


def _socket(family):
    """Return (socket, is raw); None if this user may open neither kind. A raw socket receives all ICMP messages."""
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return socket.socket(family, kind, protocol), kind == socket.SOCK_RAW
        except OSError as fault:
            if fault.errno not in (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
                raise
    return None


def _send_echoes(opened, raw, family, place):
    token, sent = os.urandom(16), {}
    number = struct.unpack("!H", token[:2])[0]
    for at in range(ECHOES):
        sent[at] = time.monotonic()
        try:
            opened.sendto(encode_echo(family, number, at, token), place)
        except OSError as fault:
            return {"open": False, "why": fault.strerror or str(fault)}
        until = sent[at] + INTERVAL
        while True:
            if not select.select([opened], [], [], max(0.0, until - time.monotonic()))[0]:
                break
            try:
                answer = opened.recv(1 << 11)
            except OSError as fault:  # an ICMP error from a router
                return {"open": False, "why": fault.strerror or str(fault)}
            which = matching_echo(family, raw, answer, token)
            if which in sent:
                return {"open": True, "took": time.monotonic() - sent[which]}
    return {"open": False, "why": "no answer within %g s" % (ECHOES * INTERVAL)}


def encode_echo(family, number, at, token):
    """Return an echo request. The kernel computes the checksum, except for raw IPv4 sockets."""
    kind = 8 if family == socket.AF_INET else 128
    bare = struct.pack("!BBHHH", kind, 0, 0, number, at) + token
    return bare[:2] + struct.pack("!H", checksum(bare)) + bare[4:]


def checksum(piece):
    words = sum(struct.unpack("!%dH" % (len(piece) // 2), piece))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF


def matching_echo(family, raw, answer, token):
    """Return the number of the request that a message answers, or None."""
    if raw and family == socket.AF_INET and answer:
        answer = answer[(answer[0] & 15) * 4 :]
    if len(answer) < 8 + len(token) or answer[8 : 8 + len(token)] != token:
        return None
    kind, at = answer[0], struct.unpack("!H", answer[6:8])[0]
    return at if kind == (0 if family == socket.AF_INET else 129) else None


def _run_ping(address):
    if shutil.which("ping") is None:
        raise Unsupported("ping is not installed, and this user may not open an ICMP socket")
    code, stdout, stderr = run(["ping", "-c", "1", "-w", "3", "--", address])
    return parse_ping(code, stdout, stderr)


def parse_ping(code, stdout, stderr):
    if code == 0:
        found = re.search(r"time[=<]([0-9.]+) ?ms", stdout)
        return {"open": True, "took": float(found.group(1)) / 1000} if found else {"open": True}
    if "permitted" in stderr or "denied" in stderr:
        raise PermissionError(errno.EPERM, "Operation not permitted", "ping")
    return {"open": False, "why": (stderr.strip().splitlines() or ["no answer within 3 s"])[-1]}
