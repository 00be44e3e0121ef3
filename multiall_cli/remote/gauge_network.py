"""Gauges of the network: listening ports, connections, interfaces, routes."""

import os
import re
import socket
import struct
import time

from multiall_cli.remote.gauge_sources import Trouble, connected, found_in, marked, since

_LISTENS = "0A"
MOST = 1 << 20  # bytes of an answer that are searched


def listening(which):
    """(address, port) of what listens: `tcp`, or `udp`, where all that are bound count."""
    for family, suffix in ((socket.AF_INET, ""), (socket.AF_INET6, "6")):
        try:
            with open("/proc/net/" + which + suffix) as opened:
                lines = opened.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if which == "udp" or words[3] == _LISTENS:
                address, port = words[1].split(":")
                packed = bytes.fromhex(address)
                numbers = struct.unpack("=%dI" % (len(packed) // 4), packed)
                yield socket.inet_ntop(family, struct.pack("!%dI" % len(numbers), *numbers)), int(port, 16)


def port(port, protocol="tcp"):
    """open: whether something listens; addresses: on which."""
    found = sorted({address for address, number in listening(protocol) if number == port})
    return {"open": bool(found), "addresses": found}


def tcp(address, port, within=3.0):
    """open, took (s): whether a connection to it can be made from here."""
    began = time.monotonic()
    try:
        connected(address, port, within).close()
    except OSError as fault:
        return {"open": False, "why": str(fault)}
    return {"open": True, "took": time.monotonic() - began}


def http(url, match=None, within=3.0, insecure=False):
    """status, took (s), matches: of one GET, redirections not followed."""
    import http.client
    import ssl

    found = re.match(r"(https?)://([^/]+)(/.*)?$", url)
    if found is None:
        raise Trouble("%r is no address of http or https" % url)
    scheme, place, path = found.groups()
    connection = http.client.HTTPConnection(place, timeout=within)
    if scheme == "https":
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place, timeout=within, context=context)
    began = time.monotonic()
    try:
        connection.sock = connected(connection.host, connection.port, within)
        if scheme == "https":
            connection.sock = context.wrap_socket(connection.sock, server_hostname=connection.host)
        connection.request("GET", path or "/", headers={"User-Agent": "multiall", "Connection": "close"})
        with connection.getresponse() as answer:
            body = answer.read(MOST + 1)
    except (OSError, http.client.HTTPException, ssl.CertificateError) as fault:  # no OSError before Python 3.7
        return {"present": False, "why": str(fault) or type(fault).__name__}
    finally:
        connection.close()
    told = {"present": True, "status": answer.status, "took": time.monotonic() - began}
    if match is not None:
        told.update(found_in(match, body, MOST))
    return told


def interface(name, mark=None):
    """present, state, speed (Mbit/s, where it is known), errors, dropped: since it came up; error_rate, drop_rate: a
    second, since the look before.
    """
    folder = "/sys/class/net/" + name
    if not os.path.isdir(folder):
        return {"present": False}, None

    def number(path):
        try:
            with open(folder + path) as opened:
                return int(opened.read())
        except (OSError, ValueError):
            return 0

    with open(folder + "/operstate") as opened:
        state = opened.read().strip()
    # What a card had no room for was dropped too, as /proc/net/dev has it.
    kinds = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped", "rx_missed_errors")
    lost = [number("/statistics/" + kind) for kind in kinds]
    told = {"present": True, "state": state, "errors": sum(lost[:2]), "dropped": sum(lost[2:])}
    if number("/speed") > 0:
        told["speed"] = number("/speed")
    now = marked(lost, ":%d" % number("/ifindex"))
    found = since(mark, now)
    if found is not None:
        took, grown = found
        told.update(error_rate=sum(grown[:2]) / took, drop_rate=sum(grown[2:]) / took)
    return told, now


def route(to="default"):
    """present, via: an IPv4 route, `default` or an address with its mask's length."""
    address, bits = ("0.0.0.0/0" if to == "default" else to + "/32").split("/")[:2]
    mask = (0xFFFFFFFF << (32 - int(bits))) & 0xFFFFFFFF
    with open("/proc/net/route") as opened:
        for line in opened.read().splitlines()[1:]:
            words = line.split()
            # Addresses stand there as the machine has them in memory.
            place = socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(words[1], 16)))
            if place == address and struct.unpack("!I", struct.pack("=I", int(words[7], 16)))[0] == mask:
                return {"present": True, "via": socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(words[2], 16)))}
    return {"present": False}
