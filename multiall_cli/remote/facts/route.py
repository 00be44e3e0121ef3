"""The route fact: one IPv4 route."""

import socket
import struct


def route(to="default"):
    """Return present and via. `to`: `default` or an IPv4 network such as 192.0.2.0/24."""
    address, bits = ("0.0.0.0/0" if to == "default" else to + "/32").split("/")[:2]
    mask = (0xFFFFFFFF << (32 - int(bits))) & 0xFFFFFFFF
    with open("/proc/net/route") as opened:
        for line in opened.read().splitlines()[1:]:
            words = line.split()
            # The kernel prints addresses in native byte order.
            place = socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(words[1], 16)))
            if place == address and struct.unpack("!I", struct.pack("=I", int(words[7], 16)))[0] == mask:
                return {"present": True, "via": socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(words[2], 16)))}
    return {"present": False}
