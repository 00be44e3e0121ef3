"""The route fact: one IPv4 route."""

import socket
import struct


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
