"""A gauge of names: one question of DNS, asked and read without the machine's own resolver."""

import os
import socket
import struct
import time

from multiall_cli.remote.facts.sources import Trouble

KINDS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "PTR": 12}
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}
WAIT = 1.0  # seconds until it is asked again
LONGEST = 4.0  # seconds in which all servers may be asked
LONGEST_NAME = 254  # bytes of a name without its end (RFC 1035, 2.3.4)


def dns(name, type="A", server=None, port=53):
    """present, answers (words), took (s): of the first server that answers."""
    kind = KINDS.get(type.upper())
    if kind is None:
        raise Trouble("%r is none of %s" % (type, ", ".join(sorted(KINDS))))
    until, why = time.monotonic() + LONGEST, ""
    servers = [server] if server else nameservers()
    for place in servers * 2:
        began = time.monotonic()
        if began >= until:
            break
        try:
            code, answers = _asked(place, port, name, kind)
        except (OSError, ValueError) as fault:
            why = "%s: %s" % (place, fault)
            continue
        told = {"present": bool(answers), "answers": answers, "took": time.monotonic() - began}
        if not answers:
            told["why"] = "%s says %s" % (place, code_word(code) if code else "that it has none")
        return told
    return {"present": False, "why": why or "no answer"}


def code_word(code):
    return _CODES.get(code, "code %d" % code)


def nameservers(path="/etc/resolv.conf"):
    """The first two that the machine asks; itself where none is named."""
    try:
        with open(path, errors="replace") as opened:
            words = [line.split() for line in opened]
    except FileNotFoundError:
        words = []
    return [each[1] for each in words if len(each) > 1 and each[0] == "nameserver"][:2] or ["127.0.0.1"]


def _asked(server, port, name, kind):
    """(code, answers). Errors: OSError, ValueError."""
    number = struct.unpack("!H", os.urandom(2))[0]
    asked = question(number, name, kind)
    family, _, _, _, place = socket.getaddrinfo(server, port, 0, socket.SOCK_DGRAM)[0]
    until, odd = time.monotonic() + WAIT, False
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.connect(place)
        opened.send(asked)
        while True:
            opened.settimeout(max(0.001, until - time.monotonic()))
            try:
                answer = opened.recv(1 << 16)
            except socket.timeout:
                raise ValueError("its answer is to something else" if odd else "no answer within %g s" % WAIT)
            if is_answer(answer, asked):
                break
            odd = odd or answer[:2] == asked[:2]
            if time.monotonic() > until:
                raise ValueError("its answer is to something else")
    if len(answer) > 2 and answer[2] & 2:  # it was cut short
        answer = over_tcp(family, place, asked)
    return read_answer(answer, asked, kind)


def over_tcp(family, place, asked):
    until = time.monotonic() + WAIT
    with socket.socket(family, socket.SOCK_STREAM) as opened:
        opened.settimeout(WAIT)
        opened.connect(place)
        opened.sendall(struct.pack("!H", len(asked)) + asked)
        held = b""
        while len(held) < 2 or len(held) < 2 + struct.unpack("!H", held[:2])[0]:
            opened.settimeout(max(0.001, until - time.monotonic()))
            piece = opened.recv(1 << 16)
            if not piece:
                raise ValueError("its answer is cut short")
            held += piece
    return held[2 : 2 + struct.unpack("!H", held[:2])[0]]


def question(number, name, kind):
    packed = b""
    for label in name.rstrip(".").split("."):
        word = _word(label)  # names beyond ASCII come as A-labels: the standard library knows only IDNA 2003
        if not 0 < len(word) < 64:
            raise Trouble("%r is no name" % (name,))
        packed += struct.pack("!B", len(word)) + word
    if len(packed) > LONGEST_NAME:
        raise Trouble("%r is no name" % (name,))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + packed + b"\0" + struct.pack("!2H", kind, 1)


def _word(label):
    try:
        return label.encode("ascii")
    except UnicodeError:
        return b""


def is_answer(answer, asked):
    """Whether a message answers this very question; one without any question goes by its number."""
    try:
        number, flags, questions = struct.unpack("!3H", answer[:6])
        if number != struct.unpack("!H", asked[:2])[0] or not flags & 0x8000 or len(answer) < 12 or questions > 1:
            return False
        wanted = asked[12 : _name(asked, 12)[1] + 4]
        return not questions or answer[12 : _name(answer, 12)[1] + 4].lower() == wanted.lower()
    except (struct.error, IndexError, ValueError):
        return False


def read_answer(answer, asked, kind):
    """(code, answers of that kind, also those that an alias led to) of a whole answer. Errors: ValueError."""
    found = sorted(value for _, _, value in _records(answer, asked, kind))
    return answer[3] & 15, found


def read_records(answer, asked, kind):
    """(times to live, records) of the very name that was asked for; names in them end in a dot. Errors: ValueError."""
    own = _name(asked, 12)[0]
    found = [(ttl, value) for name, ttl, value in _records(answer, asked, kind) if name == own]
    return [ttl for ttl, _ in found], [value + "." if kind in _NAMES else value for _, value in found]


_NAMES = (KINDS["CNAME"], KINDS["PTR"], KINDS["SRV"], KINDS["NS"])


def _records(answer, asked, kind):
    """(name, time to live, answer) of each of that kind. Errors: ValueError."""
    try:
        number, flags, questions, count = struct.unpack("!4H", answer[:8])
        if number != struct.unpack("!H", asked[:2])[0] or not flags & 0x8000 or questions > 1:
            raise ValueError("its answer is to something else")
        at, found = 12, []
        if questions:
            at = _name(answer, at)[1] + 4
            if answer[12:at].lower() != asked[12:].lower():
                raise ValueError("its answer is to something else")
        for _ in range(count):
            name, at = _name(answer, at)
            what, group, ttl, length = struct.unpack("!2HIH", answer[at : at + 10])
            at += 10
            if at + length > len(answer):
                raise ValueError("its answer makes no sense")
            if what == kind and group == 1:
                found.append((name, ttl, _shown(answer, at, length, kind)))
            at += length
    except (struct.error, IndexError, OSError):
        raise ValueError("its answer makes no sense")
    return found


def _shown(answer, at, length, kind):
    data = answer[at : at + length]
    if kind in (KINDS["A"], KINDS["AAAA"]):
        family, size = (socket.AF_INET, 4) if kind == KINDS["A"] else (socket.AF_INET6, 16)
        if length != size:
            raise ValueError("its answer makes no sense")
        return socket.inet_ntop(family, data)
    if kind == KINDS["SRV"]:
        return "%d %d %d %s" % (struct.unpack("!3H", data[:6]) + (_name(answer, at + 6)[0],))
    if kind == KINDS["MX"]:
        return "%d %s" % (struct.unpack("!H", data[:2])[0], _name(answer, at + 2)[0])
    if kind == KINDS["SOA"]:
        primary, at = _name(answer, at)
        mail, at = _name(answer, at)
        return " ".join([primary, mail] + [str(each) for each in struct.unpack("!5I", answer[at : at + 20])])
    if kind == KINDS["TXT"]:
        words, inner = b"", 0
        while inner < length:
            words += data[inner + 1 : inner + 1 + data[inner]]
            inner += 1 + data[inner]
        return words.decode("utf-8", "replace")
    return _name(answer, at)[0]


def _name(answer, at):
    """(name, the place behind it). Errors: IndexError, ValueError."""
    labels, behind, jumps, size = [], None, 0, 0
    while answer[at]:
        if answer[at] >= 0xC0:
            behind = at + 2 if behind is None else behind
            at, jumps = (answer[at] & 63) << 8 | answer[at + 1], jumps + 1
            if jumps > 100:
                raise ValueError("its answer makes no sense")
            continue
        size += 1 + answer[at]
        if answer[at] > 63 or size > LONGEST_NAME:
            raise ValueError("its answer makes no sense")
        labels.append(answer[at + 1 : at + 1 + answer[at]].decode("ascii", "replace").lower())
        at += 1 + answer[at]
    return ".".join(labels), at + 1 if behind is None else behind
