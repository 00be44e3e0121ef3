"""Gauges of the network: listening ports, connections, interfaces, routes."""

import os
import re
import socket
import struct
import time

from multiall_cli.remote.facts.sources import Trouble, connected, found_in, marked, since

_LISTENS = "0A"
IPV6_ONLY = " (IPv6 only)"
_EVERY4 = "0.0.0.0"  # noqa: S104  (an address that is compared, nothing is bound)
_SOCK_DIAG, _BY_FAMILY, _REQUEST, _DUMP = 4, 20, 1, 0x300  # of linux/netlink.h and linux/sock_diag.h
_LISTEN, _CLOSE, _MESSAGE, _V6_ONLY = 10, 7, 72, 11  # states, bytes of a message, an attribute: linux/inet_diag.h
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
    """open: whether something listens; addresses: on which, `::` with a word where it takes no IPv4."""
    return on_addresses(port, protocol, {address for address, number in listening(protocol) if number == port})


def on_addresses(port, protocol, found):
    """What is said of a port that is listened on at these addresses."""
    if "::" in found and _EVERY4 not in found and takes_ipv6_only(port, protocol):
        found = found - {"::"} | {"::" + IPV6_ONLY}
    return {"open": bool(found), "addresses": sorted(found)}


def takes_ipv6_only(port, protocol):
    """Whether all that listens on `::` at this port has IPV6_V6ONLY; False where the kernel does not say.

    Of the kernel's socket diagnosis (sock_diag(7)): /proc/net does not tell the two apart.
    """
    number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP
    request = struct.pack("=BBBxI48x", socket.AF_INET6, number, 0, 1 << _LISTEN | 1 << _CLOSE)
    head = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST | _DUMP, 1, 0)
    told = []  # type: list[bool]
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(head + request)
            while _take_answer(kernel.recv(1 << 16), port, told):
                continue
    except (OSError, AttributeError, struct.error):  # another system, or a kernel without it
        return False
    return bool(told) and all(told)


def _take_answer(packet, port, told):
    """Add to `told`, for each socket on `::` at this port, whether it takes IPv6 alone; False at the answer's end."""
    place = 0
    while place + 16 <= len(packet):
        length, kind = struct.unpack_from("=IH", packet, place)
        if kind != _BY_FAMILY or length < 16:
            return False  # the end, or an error
        body = packet[place + 16 : place + length]
        (source,) = struct.unpack_from("!H", body, 4)
        if source == port and not any(body[8:24]):
            told.append(_has_flag(body[_MESSAGE:]))
        place += -(-length // 4) * 4
    return True


def _has_flag(attributes):
    place = 0
    while place + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, place)
        if kind == _V6_ONLY and length > 4:
            return attributes[place + 4] == 1
        place += max(4, -(-length // 4) * 4)
    return False


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
