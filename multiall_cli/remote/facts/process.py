"""The process fact: number, age and resource use of processes."""

import os
import pwd
import re
from functools import partial

from multiall_cli.remote.facts.sources import CollectError, boot_id, read_text, seconds_since_boot

MAX_MARKED = 120  # processes whose times a mark has room for
KERNEL_NAME_BYTES = 15  # bytes of a name that the kernel remembers
_DELETED = " (deleted)"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def processes():
    """(number, name, state, uid, seconds from the machine's start to its own, seconds that it ran, rss in bytes) of
    each that is still there.
    """
    tick, page = float(os.sysconf("SC_CLK_TCK")), os.sysconf("SC_PAGE_SIZE")
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = read_text("/proc/%s/stat" % number)
            user = os.stat("/proc/" + number).st_uid
        except OSError:
            continue  # it has just ended
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        ran = int(rest[11]) + int(rest[12])
        yield int(number), name, rest[0], user, int(rest[19]) / tick, ran, int(rest[21]) * page


def _command_line(number):
    """The words of its command line; none where it has none (any more)."""
    try:
        with open("/proc/%d/cmdline" % number, "rb") as opened:
            content = opened.read(1 << 16).rstrip(b"\0")
    except OSError:
        return []
    return content.decode("utf-8", "replace").split("\0") if content else []


def _executable(number):
    """The file that it runs; '' where that is not known."""
    try:
        found = os.readlink("/proc/%d/exe" % number)
    except OSError:
        return ""
    return found[: -len(_DELETED)] if found.endswith(_DELETED) else found


def uid_of(user):
    """Of an account; None where none is named. Errors: Trouble where there is no such."""
    try:
        return None if user is None else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise CollectError("there is no user %r" % (user,)) from None


def is_match(wanted, has, uid, words, program):
    """Whether a process is one of the wanted (name, uid, command; each may be None): it `has` that name and uid; its
    command line and its program are asked of `words` and `program` last.
    """
    name, user, command = wanted
    if user not in (None, uid) or not (name is None or has_name(name, has, words, program)):
        return False
    return command is None or re.search(command, " ".join(words())) is not None


def has_name(name, has, words, program):
    """Whether a process has a name. The kernel knows its first 15 bytes: of a longer one the rest is in its first
    word, in its program or, of a script, in the word behind its interpreter.
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
    """count of those with this name, and with a command line that `command` is found in, of a user where one is named;
    age (s) of the oldest; rss, cpu of them together.
    """
    wanted = (name, uid_of(user), command)
    up, at = float(read_text("/proc/uptime").split()[0]), seconds_since_boot()
    found = {}
    for number, has, state, uid, began, ran, rss in processes():
        if state != "Z" and is_match(wanted, has, uid, partial(_command_line, number), partial(_executable, number)):
            found[number] = (began, ran, rss)
    return summarize(found, mark, boot_id(), up, at)


def summarize(found, mark, boot_id, up, at):
    """(values, mark) of processes: number → (seconds from the machine's start to its own, ticks that it ran, rss).

    `up`: seconds that the machine ran when they were looked for; `at`: the same, for marks.
    """
    values = {"count": len(found), "rss": sum(each[2] for each in found.values())}
    if found:
        values["age"] = max(max(0.0, up - each[0]) for each in found.values())
    used = ticks_per_second(mark, boot_id, at, {number: each[:2] for number, each in found.items()})
    if used is not None:
        values["cpu"] = used / float(os.sysconf("SC_CLK_TCK"))
    return values, mark_of(boot_id, at, {number: each[1] for number, each in found.items()})


def mark_of(boot_id, at, ran):
    """number → ticks that it ran, in few letters: none where there are too many of them."""
    if len(ran) > MAX_MARKED:
        return None
    return {"of": boot_id, "at": at, "ran": " ".join(_base36(each) + ":" + _base36(ran[each]) for each in sorted(ran))}


def ticks_per_second(mark, boot_id, at, found):
    """Ticks a second that those now there ran since the look before, or None where that is not known.

    `found`: number → (seconds from the machine's start to its own, ticks that it ran).
    """
    try:
        if mark["of"] != boot_id or at <= mark["at"]:
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


def _base36(number):
    values = ""
    while number or not values:
        number, digit = divmod(number, 36)
        values = _DIGITS[digit] + values
    return values
