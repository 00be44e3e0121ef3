"""The port fact: listening sockets of this machine."""

import socket
import struct

_LISTEN_HEX = "0A"
IPV6_ONLY = " (IPv6 only)"
_ANY_IPV4 = "0.0.0.0"  # noqa: S104  (an address that is compared, nothing is bound)
_SOCK_DIAG, _BY_FAMILY, _REQUEST, _DUMP = 4, 20, 1, 0x300  # of linux/netlink.h and linux/sock_diag.h
_LISTEN, _CLOSE, _MESSAGE, _V6_ONLY = 10, 7, 72, 11  # states, bytes of a message, an attribute: linux/inet_diag.h


def listeners(which):
    """Yield (address, port) of each listener. `which`: `tcp` or `udp`; for udp, all bound sockets."""
    for family, suffix in ((socket.AF_INET, ""), (socket.AF_INET6, "6")):
        try:
            with open("/proc/net/" + which + suffix) as opened:
                lines = opened.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if which == "udp" or words[3] == _LISTEN_HEX:
                address, port = words[1].split(":")
                packed = bytes.fromhex(address)
                numbers = struct.unpack("=%dI" % (len(packed) // 4), packed)
                yield socket.inet_ntop(family, struct.pack("!%dI" % len(numbers), *numbers)), int(port, 16)


def port(port, protocol="tcp"):
    """Return open and addresses; `::` is marked if it accepts no IPv4."""
    return port_values(port, protocol, {address for address, number in listeners(protocol) if number == port})


def port_values(port, protocol, found):
    """Return the values of a port with listeners on these addresses."""
    if "::" in found and _ANY_IPV4 not in found and is_ipv6_only(port, protocol):
        found = found - {"::"} | {"::" + IPV6_ONLY}
    return {"open": bool(found), "addresses": sorted(found)}


def is_ipv6_only(port, protocol):
    """Return whether all listeners on `::` have IPV6_V6ONLY; False if the kernel cannot tell.

    Asks sock_diag(7), because /proc/net does not show the flag.
    """
    number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP
    request = struct.pack("=BBBxI48x", socket.AF_INET6, number, 0, 1 << _LISTEN | 1 << _CLOSE)
    head = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST | _DUMP, 1, 0)
    flags = []  # type: list[bool]
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(head + request)
            while _read_sockets(kernel.recv(1 << 16), port, flags):
                continue
    except (OSError, AttributeError, struct.error):  # not Linux, or a kernel without sock_diag
        return False
    return bool(flags) and all(flags)


def _read_sockets(packet, port, flags):
    """Append to `flags` the IPV6_V6ONLY of each socket on `::` at this port. Return False after the last message."""
    place = 0
    while place + 16 <= len(packet):
        length, kind = struct.unpack_from("=IH", packet, place)
        if kind != _BY_FAMILY or length < 16:
            return False  # NLMSG_DONE or NLMSG_ERROR
        body = packet[place + 16 : place + length]
        (source,) = struct.unpack_from("!H", body, 4)
        if source == port and not any(body[8:24]):
            flags.append(_is_v6_only(body[_MESSAGE:]))
        place += -(-length // 4) * 4
    return True


def _is_v6_only(attributes):
    place = 0
    while place + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, place)
        if kind == _V6_ONLY and length > 4:
            return attributes[place + 4] == 1
        place += max(4, -(-length // 4) * 4)
    return False
