"""The process fact: number, age and resource use of processes."""

import os
import pwd
import re
from functools import partial

from multiall_cli.remote.facts.sources import CollectError, boot_id, read_text, seconds_since_boot

MAX_MARKED = 120  # processes whose times fit into a mark
KERNEL_NAME_BYTES = 15  # bytes of a process name in the kernel
_DELETED = " (deleted)"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def processes():
    """Yield (pid, name, state, uid, seconds from boot to its start, ticks that it ran, rss) of each process."""
    tick, page = float(os.sysconf("SC_CLK_TCK")), os.sysconf("SC_PAGE_SIZE")
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = read_text("/proc/%s/stat" % number)
            user = os.stat("/proc/" + number).st_uid
        except OSError:
            continue  # it ended meanwhile
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        ran = int(rest[11]) + int(rest[12])
        yield int(number), name, rest[0], user, int(rest[19]) / tick, ran, int(rest[21]) * page


def _command_line(number):
    """Return the words of the command line; none for kernel threads and ended processes."""
    try:
        with open("/proc/%d/cmdline" % number, "rb") as opened:
            content = opened.read(1 << 16).rstrip(b"\0")
    except OSError:
        return []
    return content.decode("utf-8", "replace").split("\0") if content else []


def _executable(number):
    """Return the path of the executable; '' if it is unknown."""
    try:
        found = os.readlink("/proc/%d/exe" % number)
    except OSError:
        return ""
    return found[: -len(_DELETED)] if found.endswith(_DELETED) else found


def uid_of(user):
    """Return the uid of a user; None without a name. Raises CollectError if the user does not exist."""
    try:
        return None if user is None else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise CollectError("there is no user %r" % (user,)) from None


def is_match(wanted, has, uid, words, program):
    """Return whether a process matches `wanted`, (name, uid, command pattern), each of which may be None.

    `words` and `program` are functions, called last, because they read more files.
    """
    name, user, command = wanted
    if user not in (None, uid) or not (name is None or has_name(name, has, words, program)):
        return False
    return command is None or re.search(command, " ".join(words())) is not None


def has_name(name, has, words, program):
    """Return whether a process has a name.

    The kernel stores 15 bytes of it. The rest is taken from the first word of the command line, the executable or, for
    a script, the word after its interpreter.
    """
    long, own = name.encode("utf-8", "surrogateescape"), has.encode("utf-8", "surrogateescape")
    if len(long) <= KERNEL_NAME_BYTES or own[:KERNEL_NAME_BYTES] != long[:KERNEL_NAME_BYTES]:
        return long == own[:KERNEL_NAME_BYTES]
    line = words() or [""]
    whole = [os.path.basename(each) for each in (line[0].split(" ")[0].lstrip("-"), program())]
    if own == long or any(_begins(each, own) for each in whole):
        return own == long or name in whole
    return name == next((each for each in map(os.path.basename, line[1:]) if _begins(each, own)), "")


def _begins(word, own):
    return word.encode("utf-8", "surrogateescape").startswith(own[:KERNEL_NAME_BYTES])


def process(name=None, command=None, user=None, mark=None):
    """Return count, age of the oldest (seconds), rss and cpu of the processes that match.

    `name`: the program; `command`: a pattern in the command line; `user`: the owner.
    """
    wanted = (name, uid_of(user), command)
    up, at = float(read_text("/proc/uptime").split()[0]), seconds_since_boot()
    found = {}
    for number, has, state, uid, began, ran, rss in processes():
        if state != "Z" and is_match(wanted, has, uid, partial(_command_line, number), partial(_executable, number)):
            found[number] = (began, ran, rss)
    return summarize(found, mark, boot_id(), up, at)


def summarize(found, mark, boot_id, up, at):
    """Return (values, mark). `found`: pid → (seconds from boot to its start, ticks that it ran, rss).

    `up`: seconds since boot at the reading; `at`: the same on the clock of the marks.
    """
    values = {"count": len(found), "rss": sum(each[2] for each in found.values())}
    if found:
        values["age"] = max(max(0.0, up - each[0]) for each in found.values())
    used = ticks_per_second(mark, boot_id, at, {number: each[:2] for number, each in found.items()})
    if used is not None:
        values["cpu"] = used / float(os.sysconf("SC_CLK_TCK"))
    return values, mark_of(boot_id, at, {number: each[1] for number, each in found.items()})


def mark_of(boot_id, at, ran):
    """Return a compact mark of pid → ticks; None if there are too many processes."""
    if len(ran) > MAX_MARKED:
        return None
    return {"of": boot_id, "at": at, "ran": " ".join(_base36(each) + ":" + _base36(ran[each]) for each in sorted(ran))}


def ticks_per_second(mark, boot_id, at, found):
    """Return the ticks per second of the processes since the last reading; None if unknown.

    `found`: pid → (seconds from boot to its start, ticks that it ran).
    """
    try:
        if mark["of"] != boot_id or at <= mark["at"]:
            return None
        pairs = (word.split(":") for word in mark["ran"].split())
        before = {int(number, 36): int(ran, 36) for number, ran in pairs}
        grown = 0
        for number, (began, ran) in found.items():
            # A process that started before the last reading was counted then, or the mark is unusable.
            if number not in before and began < mark["at"] - 0.05:
                return None
            grown += ran - (before.get(number, 0) if began < mark["at"] else 0)
        return grown / (at - mark["at"]) if grown >= 0 else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _base36(number):
    """Return a number in base 36."""
    values = ""
    while number or not values:
        number, digit = divmod(number, 36)
        values = _DIGITS[digit] + values
    return values
