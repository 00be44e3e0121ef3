"""DNS messages (RFC 1035): questions, and the records in an answer."""

import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "PTR": 12}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}
MAX_NAME = 254  # bytes of a name without the final zero (RFC 1035, 2.3.4)


def rcode_name(code):
    """Return the name of a response code."""
    return _CODES.get(code, "code %d" % code)


def encode_query(number, name, kind):
    """Return a query as bytes. Raises ValueError."""
    packed = b""
    for label in name.rstrip(".").split("."):
        word = _encode_label(label)  # callers pass A-labels, because the standard library has only IDNA 2003
        if not 0 < len(word) < 64:
            raise ValueError("%r is not a domain name" % (name,))
        packed += struct.pack("!B", len(word)) + word
    if len(packed) > MAX_NAME:
        raise ValueError("%r is not a domain name" % (name,))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + packed + b"\0" + struct.pack("!2H", kind, 1)


def _encode_label(label):
    try:
        return label.encode("ascii")
    except UnicodeError:
        return b""


def is_answer(answer, query):
    """Return whether a message answers this query. An answer without a question is matched by its id."""
    try:
        number, flags, questions = struct.unpack("!3H", answer[:6])
        if number != struct.unpack("!H", query[:2])[0] or not flags & 0x8000 or len(answer) < 12 or questions > 1:
            return False
        wanted = query[12 : _read_name(query, 12)[1] + 4]
        return not questions or answer[12 : _read_name(answer, 12)[1] + 4].lower() == wanted.lower()
    except (struct.error, IndexError, ValueError):
        return False


def read_answer(answer, query, kind):
    """Return (rcode, values of that type); values behind a CNAME are included. Raises ValueError."""
    found = sorted(value for _, _, value in _read_section(answer, query, kind))
    return answer[3] & 15, found


def read_records(answer, query, kind):
    """Return (TTLs, values) of the queried name itself; names in values end in a dot. Raises ValueError."""
    own = _read_name(query, 12)[0]
    found = [(ttl, value) for name, ttl, value in _read_section(answer, query, kind) if name == own]
    return [ttl for ttl, _ in found], [value + "." if kind in _NAME_TYPES else value for _, value in found]


_NAME_TYPES = (TYPES["CNAME"], TYPES["PTR"], TYPES["SRV"], TYPES["NS"])


def _read_section(answer, query, kind):
    """Return (name, TTL, value) of each answer of that type. Raises ValueError."""
    try:
        number, flags, questions, count = struct.unpack("!4H", answer[:8])
        if number != struct.unpack("!H", query[:2])[0] or not flags & 0x8000 or questions > 1:
            raise ValueError("the answer is to another question")
        at, found = 12, []
        if questions:
            at = _read_name(answer, at)[1] + 4
            if answer[12:at].lower() != query[12:].lower():
                raise ValueError("the answer is to another question")
        for _ in range(count):
            name, at = _read_name(answer, at)
            what, group, ttl, length = struct.unpack("!2HIH", answer[at : at + 10])
            at += 10
            if at + length > len(answer):
                raise ValueError("the answer is malformed")
            if what == kind and group == 1:
                found.append((name, ttl, _read_data(answer, at, length, kind)))
            at += length
    except (struct.error, IndexError, OSError):
        raise ValueError("the answer is malformed")
    return found


def _read_data(answer, at, length, kind):
    data = answer[at : at + length]
    if kind in (TYPES["A"], TYPES["AAAA"]):
        family, size = (socket.AF_INET, 4) if kind == TYPES["A"] else (socket.AF_INET6, 16)
        if length != size:
            raise ValueError("the answer is malformed")
        return socket.inet_ntop(family, data)
    if kind == TYPES["SRV"]:
        return "%d %d %d %s" % (struct.unpack("!3H", data[:6]) + (_read_name(answer, at + 6)[0],))
    if kind == TYPES["MX"]:
        return "%d %s" % (struct.unpack("!H", data[:2])[0], _read_name(answer, at + 2)[0])
    if kind == TYPES["SOA"]:
        primary, at = _read_name(answer, at)
        mail, at = _read_name(answer, at)
        return " ".join([primary, mail] + [str(each) for each in struct.unpack("!5I", answer[at : at + 20])])
    if kind == TYPES["TXT"]:
        words, inner = b"", 0
        while inner < length:
            words += data[inner + 1 : inner + 1 + data[inner]]
            inner += 1 + data[inner]
        return words.decode("utf-8", "replace")
    return _read_name(answer, at)[0]


def _read_name(answer, at):
    """Return (name, next position). Raises IndexError, ValueError."""
    labels, behind, jumps, size = [], None, 0, 0
    while answer[at]:
        if answer[at] >= 0xC0:
            behind = at + 2 if behind is None else behind
            at, jumps = (answer[at] & 63) << 8 | answer[at + 1], jumps + 1
            if jumps > 100:
                raise ValueError("the answer is malformed")
            continue
        size += 1 + answer[at]
        if answer[at] > 63 or size > MAX_NAME:
            raise ValueError("the answer is malformed")
        labels.append(answer[at + 1 : at + 1 + answer[at]].decode("ascii", "replace").lower())
        at += 1 + answer[at]
    return ".".join(labels), at + 1 if behind is None else behind


def to_stream(message):
    """Return a message as sent over TCP: with its length before it."""
    return struct.pack("!H", len(message)) + message


def from_stream(received):
    """Return the first message of a TCP stream; None until it is complete."""
    if len(received) < 2 or len(received) < 2 + struct.unpack("!H", received[:2])[0]:
        return None
    return received[2 : 2 + struct.unpack("!H", received[:2])[0]]
