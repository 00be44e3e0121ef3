"""The sudoers fact: what sudo lets a user do."""

import fnmatch
import grp
import os
import pwd
import re
import socket

from multiall_cli.remote.facts.sources import read_text


def sudoers(user, path="/etc/sudoers"):
    """present: whether any entry of sudoers is about it; nopasswd: whether one lets it do anything without a password.

    What stands in a directory service is not looked at.
    """
    if not os.path.exists(path):
        return {"present": False, "nopasswd": False}
    names = [socket.gethostname()]
    return evaluate(list(read_lines(path, names[0])), account_names(user), names + [names[0].split(".")[0]])


def account_names(user):
    """How sudoers may call an account: its name, its number, and its groups."""
    names = {user}
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return names
    names.add("#%d" % found.pw_uid)
    for number in os.getgrouplist(user, found.pw_gid):
        names.add("%%#%d" % number)
        try:
            names.add("%" + grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return names


def read_lines(path, machine, depth=0):
    """The lines of sudoers and of what it includes, joined, without remarks."""
    for line in re.sub(r"\\\n", " ", read_text(path)).split("\n"):
        found = re.match(r"\s*[#@](include|includedir)\s+(.*\S)", line)
        if found is None:
            # A number with a # before it is a user or a group, and no remark.
            line = re.sub(r"(?<!\\)#(?![0-9-]).*|^\s*#(?![0-9]+\s*[,\s].*=).*", "", line).strip()
            if line:
                yield line
        elif depth < 10:
            place = found.group(2).strip('"').replace("\\ ", " ").replace("%h", machine.split(".")[0])
            place = os.path.join(os.path.dirname(path), place)
            for each in _included_files(place) if found.group(1) == "includedir" else [place]:
                if os.path.exists(each):
                    yield from read_lines(each, machine, depth + 1)


def _included_files(place):
    """As sudo has it: no names with a dot, and none that end with ~."""
    try:
        names = sorted(os.listdir(place))
    except FileNotFoundError:
        return []
    paths = (os.path.join(place, each) for each in names if "." not in each and not each.endswith("~"))
    return [each for each in paths if os.path.isfile(each)]


_ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\s+(.*)")


def evaluate(lines, names, machines):
    """present, nopasswd: of the lines of sudoers, for who has these names, on a machine that has those."""
    aliases: "dict[str, list[str]]" = {}
    for line in lines:
        found = _ALIAS.match(line)
        for each in _split(found.group(2), ":") if found else ():
            name, _, words = each.partition("=")
            aliases[name.strip()] = _split(words, ",")
    values = {"present": False, "nopasswd": False}
    lenient = False
    for line in lines:
        if _ALIAS.match(line):
            continue
        if line.startswith("Defaults"):
            lenient = _is_lenient(line, names, machines, aliases, lenient)
            continue
        for free in _grants(line, names, machines, aliases):
            values["present"] = True
            values["nopasswd"] = values["nopasswd"] or free
    values["nopasswd"] = values["present"] and (values["nopasswd"] or lenient)
    return values


def _is_lenient(line, names, machines, aliases, before):
    """Whether no password is asked for, after this line of defaults."""
    found = re.match(r"Defaults(?:([:@])\s*(\S+(?:\s*,\s*\S+)*?))?\s+(.*)", line)
    if found is None:
        return before
    kind, about, settings = found.groups()
    if kind and not _matches(_split(about, ","), names if kind == ":" else machines, aliases, kind == "@"):
        return before
    for each in _split(settings, ","):
        if re.fullmatch(r"!*\s*authenticate", each):
            before = each.count("!") % 2 == 1
    return before


def _grants(line, names, machines, aliases):
    """For each command that a line lets them run here: whether it does so without a password."""
    if "=" not in line:
        return
    parts = _split(line, ":")
    users, hosts = _split_users_hosts(parts[0].partition("=")[0])
    if not _matches(users, names, aliases):
        return
    for at, part in enumerate(parts):
        left, _, commands = part.partition("=")
        if not _matches(hosts if at == 0 else _split(left, ","), machines, aliases, True):
            continue
        free = False
        for command in _split(commands, ","):
            # Tags of a command hold for those behind it; who it is run as stands before them, in brackets.
            for tag in re.findall(r"(?<![\w/])(NOPASSWD|PASSWD)\s*:", command):
                free = tag == "NOPASSWD"
            bare = re.sub(r"^(\([^)]*\)|[A-Z_]+\s*:|\s)*", "", command)
            if bare and not bare.startswith("!"):
                yield free


def _split_users_hosts(text):
    """Two lists, with nothing but space between them."""
    words = re.findall(r'(?:"[^"]*"|\\.|[^\s,"\\])+|,', text)
    users, at = [], 0
    while at < len(words):
        users.append(words[at].strip('"').replace("\\", ""))
        if at + 1 >= len(words) or words[at + 1] != ",":
            break
        at += 2
    return users, [each for each in words[at + 1 :] if each != ","]


def _split(text, sign):
    r"""Split at a sign that stands in no quotes or brackets and has no \ before it; tags' colons split nothing."""
    found, depth, quoted, at, last = [], 0, False, 0, 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == '"':
            quoted = not quoted
        elif letter in "()" and not quoted:
            depth += 1 if letter == "(" else -1
        elif letter == sign and not quoted and depth <= 0 and not (sign == ":" and _is_tag(text[last:at])):
            found.append(text[last:at].strip())
            last = at + 1
        at += 1
    return found + [text[last:].strip()]


_TAG = re.compile(
    r"(^|[^\w/.])((NO)?(PASSWD|EXEC|SETENV|LOG_INPUT|LOG_OUTPUT|MAIL|FOLLOW|INTERCEPT)|sha(224|256|384|512)|%)\s*$"
)


def _is_tag(before):
    """Whether a colon belongs to what stands before it: a tag, a digest, or a group that is not of this system."""
    return _TAG.search(before) is not None


def _matches(words, names, aliases, machines=False, depth=0):
    """Whether a list means one of the names; the last word on it counts."""
    answer = False
    for word in words:
        bare = word.lstrip("! ")
        if bare in aliases and depth < 10:
            hit = _matches(aliases[bare], names, aliases, machines, depth + 1)
        elif machines:
            # An address may be one of this machine's: better once too often than not at all.
            is_address = re.fullmatch(r"([0-9.]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*)(/[0-9.]+)?|\+.*", bare) is not None
            hit = bare == "ALL" or is_address or any(fnmatch.fnmatchcase(name, bare) for name in names)
        else:
            hit = bare == "ALL" or bare in names
        if hit:
            answer = (len(word) - len(bare) - word.count(" ", 0, len(word) - len(bare))) % 2 == 0
    return answer
