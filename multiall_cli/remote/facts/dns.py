"""The DNS fact: one question to a name server, without the resolver of the machine."""

import os
import socket
import struct
import time

from multiall_cli.remote.facts.sources import CollectError
from multiall_cli.remote.formats.dns_message import (
    TYPES,
    encode_query,
    from_stream,
    is_answer,
    rcode_name,
    read_answer,
    to_stream,
)

TIMEOUT = 1.0  # seconds to wait for each answer
TOTAL_TIMEOUT = 4.0  # seconds for all servers together


def dns(name, type="A", server=None, port=53):
    """Return present, answers (words) and took (seconds), from the first server that answers."""
    kind = TYPES.get(type.upper())
    if kind is None:
        raise CollectError("unknown type %r; use one of %s" % (type, ", ".join(sorted(TYPES))))
    try:
        encode_query(0, name, kind)
    except ValueError as fault:
        raise CollectError(str(fault))
    until, why = time.monotonic() + TOTAL_TIMEOUT, ""
    servers = [server] if server else nameservers()
    for place in servers * 2:
        began = time.monotonic()
        if began >= until:
            break
        try:
            code, answers = _query(place, port, name, kind)
        except (OSError, ValueError) as fault:
            why = "%s: %s" % (place, fault)
            continue
        values = {"present": bool(answers), "answers": answers, "took": time.monotonic() - began}
        if not answers:
            values["why"] = "%s answers %s" % (place, rcode_name(code) if code else "that there are none")
        return values
    return {"present": False, "why": why or "no answer"}


def nameservers(path="/etc/resolv.conf"):
    """Return the first two name servers of the resolver; 127.0.0.1 without any."""
    try:
        with open(path, errors="replace") as opened:
            words = [line.split() for line in opened]
    except FileNotFoundError:
        words = []
    return [each[1] for each in words if len(each) > 1 and each[0] == "nameserver"][:2] or ["127.0.0.1"]


def _query(server, port, name, kind):
    """Return (rcode, answers). Raises OSError, ValueError."""
    number = struct.unpack("!H", os.urandom(2))[0]
    query = encode_query(number, name, kind)
    family, _, _, _, place = socket.getaddrinfo(server, port, 0, socket.SOCK_DGRAM)[0]
    until, odd = time.monotonic() + TIMEOUT, False
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.connect(place)
        opened.send(query)
        while True:
            opened.settimeout(max(0.001, until - time.monotonic()))
            try:
                answer = opened.recv(1 << 16)
            except socket.timeout:
                raise ValueError("the answer is to another question" if odd else "no answer within %g s" % TIMEOUT)
            if is_answer(answer, query):
                break
            odd = odd or answer[:2] == query[:2]
            if time.monotonic() > until:
                raise ValueError("the answer is to another question")
    if len(answer) > 2 and answer[2] & 2:  # it was cut short
        answer = _over_tcp(family, place, query)
    return read_answer(answer, query, kind)


def _over_tcp(family, place, query):
    until = time.monotonic() + TIMEOUT
    with socket.socket(family, socket.SOCK_STREAM) as opened:
        opened.settimeout(TIMEOUT)
        opened.connect(place)
        opened.sendall(to_stream(query))
        received = b""
        while from_stream(received) is None:
            opened.settimeout(max(0.001, until - time.monotonic()))
            piece = opened.recv(1 << 16)
            if not piece:
                raise ValueError("the answer is cut short")
            received += piece
    return from_stream(received)
