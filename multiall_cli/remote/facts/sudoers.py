"""The sudoers fact: what sudo lets a user do."""

import fnmatch
import grp
import os
import pwd
import re
import socket

from multiall_cli.remote.facts.sources import read_text


def sudoers(user, path="/etc/sudoers"):
    """Return present (some entry is about the user) and nopasswd (one grants everything without a password).

    Rules in a directory service are not read.
    """
    if not os.path.exists(path):
        return {"present": False, "nopasswd": False}
    names = [socket.gethostname()]
    return evaluate(list(read_lines(path, names[0])), account_names(user), names + [names[0].split(".")[0]])


def account_names(user):
    """Return all names of an account in sudoers: name, number and groups."""
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
    """Yield the logical lines of sudoers and its includes, without comments."""
    for line in re.sub(r"\\\n", " ", read_text(path)).split("\n"):
        found = re.match(r"\s*[#@](include|includedir)\s+(.*\S)", line)
        if found is None:
            # `#1000` is a user or group number, not a comment.
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
    """Return the files that sudo reads from a folder: no dot in the name, no ~ at the end."""
    try:
        names = sorted(os.listdir(place))
    except FileNotFoundError:
        return []
    paths = (os.path.join(place, each) for each in names if "." not in each and not each.endswith("~"))
    return [each for each in paths if os.path.isfile(each)]


_ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\s+(.*)")


def evaluate(lines, names, machines):
    """Return present and nopasswd, for the names of an account on a machine with these names."""
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
    """Return whether authentication is off after a line of Defaults."""
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
    """Yield, for each command that a line allows here, whether it needs no password."""
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
            # A tag holds for the following commands, too. The run-as user is before it, in brackets.
            for tag in re.findall(r"(?<![\w/])(NOPASSWD|PASSWD)\s*:", command):
                free = tag == "NOPASSWD"
            bare = re.sub(r"^(\([^)]*\)|[A-Z_]+\s*:|\s)*", "", command)
            if bare and not bare.startswith("!"):
                yield free


def _split_users_hosts(text):
    """Return the users and the hosts of a rule; only white space separates the two lists."""
    words = re.findall(r'(?:"[^"]*"|\\.|[^\s,"\\])+|,', text)
    users, at = [], 0
    while at < len(words):
        users.append(words[at].strip('"').replace("\\", ""))
        if at + 1 >= len(words) or words[at + 1] != ",":
            break
        at += 2
    return users, [each for each in words[at + 1 :] if each != ","]


def _split(text, sign):
    """Split at a sign, except in quotes, in brackets, after a backslash, and at the colon of a tag."""
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
    """Return whether the colon belongs to the text before it: a tag, a digest or a non-Unix group."""
    return _TAG.search(before) is not None


def _matches(words, names, aliases, machines=False, depth=0):
    """Return whether a list means one of the names. The last match decides."""
    answer = False
    for word in words:
        bare = word.lstrip("! ")
        if bare in aliases and depth < 10:
            hit = _matches(aliases[bare], names, aliases, machines, depth + 1)
        elif machines:
            # An address or netgroup may be this host's; assume that it is.
            is_address = re.fullmatch(r"([0-9.]+|[0-9a-fA-F.]*:[0-9a-fA-F:.]*)(/[0-9.]+)?|\+.*", bare) is not None
            hit = bare == "ALL" or is_address or any(fnmatch.fnmatchcase(name, bare) for name in names)
        else:
            hit = bare == "ALL" or bare in names
        if hit:
            answer = (len(word) - len(bare) - word.count(" ", 0, len(word) - len(bare))) % 2 == 0
    return answer
