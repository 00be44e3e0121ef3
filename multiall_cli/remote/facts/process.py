"""The process fact: number, age and resource use of processes."""

import os
import pwd
import re
from functools import partial

from multiall_cli.remote.facts.sources import Trouble, boot, read, since_boot

MOST = 120  # processes whose times a mark has room for
SHORT = 15  # bytes of a name that the kernel remembers
_DELETED = " (deleted)"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def processes():
    """(number, name, state, uid, seconds from the machine's start to its own, seconds that it ran, rss in bytes) of
    each that is still there.
    """
    tick, page = float(os.sysconf("SC_CLK_TCK")), os.sysconf("SC_PAGE_SIZE")
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = read("/proc/%s/stat" % number)
            user = os.stat("/proc/" + number).st_uid
        except OSError:
            continue  # it has just ended
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        ran = int(rest[11]) + int(rest[12])
        yield int(number), name, rest[0], user, int(rest[19]) / tick, ran, int(rest[21]) * page


def _words(number):
    """The words of its command line; none where it has none (any more)."""
    try:
        with open("/proc/%d/cmdline" % number, "rb") as opened:
            content = opened.read(1 << 16).rstrip(b"\0")
    except OSError:
        return []
    return content.decode("utf-8", "replace").split("\0") if content else []


def _program(number):
    """The file that it runs; '' where that is not known."""
    try:
        found = os.readlink("/proc/%d/exe" % number)
    except OSError:
        return ""
    return found[: -len(_DELETED)] if found.endswith(_DELETED) else found


def number_of(user):
    """Of an account; None where none is named. Errors: Trouble where there is no such."""
    try:
        return None if user is None else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Trouble("there is no user %r" % (user,)) from None


def is_meant(wanted, has, uid, words, program):
    """Whether a process is one of the wanted (name, uid, command; each may be None): it `has` that name and uid; its
    command line and its program are asked of `words` and `program` last.
    """
    name, user, command = wanted
    if user not in (None, uid) or not (name is None or is_named(name, has, words, program)):
        return False
    return command is None or re.search(command, " ".join(words())) is not None


def is_named(name, has, words, program):
    """Whether a process has a name. The kernel knows its first 15 bytes: of a longer one the rest is in its first
    word, in its program or, of a script, in the word behind its interpreter.
    """
    long, own = name.encode("utf-8", "surrogateescape"), has.encode("utf-8", "surrogateescape")
    if len(long) <= SHORT or own[:SHORT] != long[:SHORT]:
        return long == own[:SHORT]
    line = words() or [""]
    whole = [os.path.basename(each) for each in (line[0].split(" ")[0].lstrip("-"), program())]
    if own == long or any(_begins(each, own) for each in whole):
        return own == long or name in whole
    return name == next((each for each in map(os.path.basename, line[1:]) if _begins(each, own)), "")


def _begins(word, own):
    return word.encode("utf-8", "surrogateescape").startswith(own[:SHORT])


def process(name=None, command=None, user=None, mark=None):
    """count of those with this name, and with a command line that `command` is found in, of a user where one is named;
    age (s) of the oldest; rss, cpu of them together.
    """
    wanted = (name, number_of(user), command)
    up, at = float(read("/proc/uptime").split()[0]), since_boot()
    found = {}
    for number, has, state, uid, began, ran, rss in processes():
        if state != "Z" and is_meant(wanted, has, uid, partial(_words, number), partial(_program, number)):
            found[number] = (began, ran, rss)
    return summed(found, mark, boot(), up, at)


def summed(found, mark, boot, up, at):
    """(values, mark) of processes: number → (seconds from the machine's start to its own, ticks that it ran, rss).

    `up`: seconds that the machine ran when they were looked for; `at`: the same, for marks.
    """
    told = {"count": len(found), "rss": sum(each[2] for each in found.values())}
    if found:
        told["age"] = max(max(0.0, up - each[0]) for each in found.values())
    used = ran_since(mark, boot, at, {number: each[:2] for number, each in found.items()})
    if used is not None:
        told["cpu"] = used / float(os.sysconf("SC_CLK_TCK"))
    return told, mark_of(boot, at, {number: each[1] for number, each in found.items()})


def mark_of(boot, at, ran):
    """number → ticks that it ran, in few letters: none where there are too many of them."""
    if len(ran) > MOST:
        return None
    return {"of": boot, "at": at, "ran": " ".join(_short(each) + ":" + _short(ran[each]) for each in sorted(ran))}


def ran_since(mark, boot, at, found):
    """Ticks a second that those now there ran since the look before, or None where that is not known.

    `found`: number → (seconds from the machine's start to its own, ticks that it ran).
    """
    try:
        if mark["of"] != boot or at <= mark["at"]:
            return None
        pairs = (word.split(":") for word in mark["ran"].split())
        before = {int(number, 36): int(ran, 36) for number, ran in pairs}
        grown = 0
        for number, (began, ran) in found.items():
            # What began before the look before has had its number since.
            if number not in before and began < mark["at"] - 0.05:
                return None
            grown += ran - (before.get(number, 0) if began < mark["at"] else 0)
        return grown / (at - mark["at"]) if grown >= 0 else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _short(number):
    told = ""
    while number or not told:
        number, digit = divmod(number, 36)
        told = _DIGITS[digit] + told
    return told
