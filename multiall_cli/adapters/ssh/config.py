"""ssh_config(5) read as OpenSSH reads it: lines, words and Includes. `host_config` applies them to a host.

paramiko's reader differs for complex Match blocks, Includes and quotes. The functions here follow readconf.c of
OpenSSH, and the tests compare them with `ssh -G`.
"""

import glob
import grp
import os
import pwd
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from multiall_cli.adapters.ssh.keywords import KNOWN, LINES, LISTS, SYNONYMS
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.inventory import Server

CONFIG_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
SYSTEM = "/etc/ssh"
DEEPEST = 16  # nested Includes, as in OpenSSH
MOST_FILES = 1000  # in all: files that include each other three times would be millions at that depth
_LEADS = frozenset(("hostname", "port", "proxyjump", "proxycommand", "match", "canonicalizehostname"))
_BLANK = " \t\r\n"
_FLAGS = frozenset(("identitiesonly", "canonicalizefallbacklocal"))
_SPAN = re.compile(r"(?:[0-9]+[sSmMhHdDwW]?)+")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Directive:
    """One line: its keyword in lower case, its words, and the unparsed rest of the line."""

    keyword: str
    words: tuple[str, ...]
    rest: str
    file: str
    line: int
    included: tuple[tuple["Directive", ...], ...] = ()
    """Of an Include: the lines of each file."""
    spelled: str = ""
    """The keyword as it is spelled in the file."""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def fault(self, what: str) -> UsageError:
        return UsageError(self.where, what, "fix that line of the ssh config")


def read(files: Sequence[str] = CONFIG_FILES, base: Path | None = None) -> tuple[tuple[Directive, ...], ...]:
    """Return the lines of each file, with those of its Includes; a missing file has none.

    `base`: folder for relative names of Includes; None: the folder that ssh uses.
    Raises UsageError if a file cannot be read, or ssh itself would refuse it.
    """
    found = tuple(_ConfigReader(file.startswith(f"{SYSTEM}/"), base).top(file) for file in files)
    lines = tuple(all_directives(found))
    ignored = ",".join(line.words[0] for line in lines if line.keyword == "ignoreunknown")
    for line in lines:  # IgnoreUnknown can be judged only for a host
        check_known(line, ignored)
    return found


def check_known(line: Directive, ignored: str) -> None:
    """Raise UsageError for a keyword that ssh does not know. `ignored`: the value of IgnoreUnknown."""
    if line.keyword not in KNOWN and not matches_list(line.keyword, ignored.lower()):
        what = f"ssh has no keyword {line.keyword} (`IgnoreUnknown {line.keyword}` before it makes ssh ignore it)"
        raise line.fault(what)


def all_directives(files: Iterable[Iterable[Directive]]) -> Iterator[Directive]:
    """Yield every line, with those of Includes in their places."""
    for lines in files:
        for line in lines:
            yield line
            yield from all_directives(line.included)


def may_change_address(files: Iterable[Iterable[Directive]]) -> bool:
    """Return whether the config may connect to another address than the inventory's."""
    return any(line.keyword in _LEADS for line in all_directives(files))


def direct_endpoint(server: Server) -> tuple[str, int] | None:
    """Return a server's SSH address and port if no config changes them; None if it has a jump host."""
    return None if server.ssh.jump else (server.address, server.ssh.port or 22)


@dataclass(slots=True)
class _ConfigReader:
    """Reads one file and its Includes. `system`: relative names start at /etc/ssh, else at ~/.ssh."""

    system: bool
    base: Path | None = None
    left: int = MOST_FILES

    def top(self, file: str) -> tuple[Directive, ...]:
        path = Path(file).expanduser()
        try:
            text = _text(path, checked=file == CONFIG_FILES[0])
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as fault:
            raise _unreadable(str(path), fault) from None
        return tuple(self._lines(text, str(path), 0))

    def _lines(self, text: str, file: str, depth: int) -> Iterator[Directive]:
        for number, line in enumerate(text.split("\n"), 1):
            found = self._directive(line.partition("\0")[0], file, number, depth)
            if found is not None:
                yield found

    def _directive(self, line: str, file: str, number: int, depth: int) -> Directive | None:
        keyword, rest = split_keyword(line)
        if not keyword or keyword.startswith("#"):
            return None
        spelled, keyword = keyword, keyword.lower()
        keyword = SYNONYMS.get(keyword, keyword)
        bare = Directive(keyword, (), rest, file, number)
        if not rest:
            raise bare.fault(f"{keyword} has no value")
        words = split_words(rest)
        if words is None:
            raise bare.fault("a quote is not closed")
        found = Directive(keyword, tuple(words), rest, file, number, spelled=spelled)
        check(found)
        if keyword == "include":
            return replace(found, included=tuple(self._read_include(found, depth)))
        return found

    def _read_include(self, line: Directive, depth: int) -> Iterator[tuple[Directive, ...]]:
        for word in line.words:
            if not word or (word.startswith("~") and self.system):
                raise line.fault(f"cannot include {word or 'nothing'}")
            place = self.base or (Path(SYSTEM) if self.system else Path("~/.ssh").expanduser())
            for name in sorted(glob.glob(str(place / os.path.expanduser(word)))):
                self.left -= 1
                if depth >= DEEPEST or self.left < 0:
                    raise line.fault(f"Includes are nested more than {DEEPEST} deep, or more than {MOST_FILES} files")
                try:
                    text = _text(Path(name), checked=True)
                except OSError as fault:
                    # `conf.d/*` may match a folder, which ssh ignores; a folder named directly is a mistake.
                    if isinstance(fault, FileNotFoundError | IsADirectoryError) and name != str(place / word):
                        continue
                    raise _unreadable(name, fault) from None
                yield tuple(self._lines(text, name, depth + 1))


def _text(path: Path, *, checked: bool) -> str:
    """Raises OSError. `checked`: other accounts must not be able to write it, as ssh requires of the user's files."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        state = os.fstat(opened.fileno())
        if checked and not _is_ours(state):
            raise PermissionError(1, "other accounts own it or can write to it, which ssh refuses")
        return opened.read()


def _is_ours(state: os.stat_result) -> bool:
    """Return whether only root and we can write to it. The owner's own group may, as in Debian's ssh."""
    if state.st_uid not in (0, os.getuid()) or state.st_mode & 0o002:
        return False
    if not state.st_mode & 0o020:
        return True
    try:
        group, owner = grp.getgrgid(state.st_gid), pwd.getpwuid(state.st_uid).pw_name
    except KeyError:
        return False
    return {*group.gr_mem, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == state.st_gid)} == {owner}


def _unreadable(file: str, fault: OSError) -> UsageError:
    what = f"cannot be read ({fault.strerror}), so its ProxyJump and Host blocks are unknown"
    return UsageError(file, what, "fix its owner and mode (`chmod go-w`)")


def split_keyword(line: str) -> tuple[str, str]:
    """Return the keyword and the rest of a line."""
    stripped = line.rstrip(_BLANK + "\f")
    keyword, rest = next_word(stripped)
    if not keyword and rest is not None:
        keyword, rest = next_word(rest)
    return keyword or "", (rest or "").lstrip(_BLANK)


def next_word(text: str) -> tuple[str | None, str | None]:
    """Return the next word and the text after it, as strdelim() of OpenSSH: one `=` may separate words like a blank.

    (None, None): a quote is not closed. The text is None after the last word.
    """
    place = next((at for at, sign in enumerate(text) if sign in _BLANK + '"='), None)
    if place is None:
        return text, None
    if text[place] == '"':
        end = text.find('"', place + 1)
        if end < 0:
            return None, None
        return text[:place] + text[place + 1 : end], text[end + 1 :].lstrip(_BLANK)
    after = text[place + 1 :].lstrip(_BLANK)
    if text[place] != "=" and after.startswith("="):
        after = after[1:].lstrip(_BLANK)
    return text[:place], after


def split_words(text: str) -> list[str] | None:
    """Return the words of a line up to a comment, as argv_split() of OpenSSH; None if a quote is not closed."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    at = 0
    while at < len(text):
        sign, after = text[at], text[at + 1 : at + 2]
        if word is None and sign in " \t":
            at += 1
            continue
        if word is None and sign == "#":
            break
        word = word or ""
        if sign == "\\" and after and (after in "'\"\\" or (after == " " and not quote)):
            word, at = word + after, at + 1
        elif not quote and sign in " \t":
            words.append(word)
            word = None
        elif not quote and sign in "'\"":
            quote = sign
        elif quote == sign:
            quote = ""
        else:
            word += sign
        at += 1
    return None if quote else [*words, *([] if word is None else [word])]


def matches(text: str, pattern: str) -> bool:
    """match_pattern() of OpenSSH: `*` and `?`, nothing else; case-sensitive."""
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return _compile(pattern).fullmatch(text) is not None


@lru_cache(4096)  # a scan matches each server with each pattern
def _compile(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)


def matches_list(text: str, patterns: str) -> bool:
    """match_pattern_list() of OpenSSH: comma-separated patterns; none with `!` may match."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches(text, pattern[1:]):
                return False
        elif matches(text, pattern):
            found = True
    return found


def seconds(text: str) -> int | None:
    """Return the seconds of a time such as 90 or 1m30s; None if it is invalid."""
    if not _SPAN.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit.lower() or "s"] for number, unit in re.findall(r"([0-9]+)([a-zA-Z]?)", text))


def check(line: Directive) -> None:
    """Check the values that decide where and how we connect. Raises UsageError if ssh would refuse the line."""
    keyword, words = line.keyword, line.words
    if keyword in LINES or keyword in ("host", "match", "include"):
        return
    if not words:
        raise line.fault(f"{keyword} has no value")
    if len(words) > 1 and keyword not in LISTS and keyword in _SINGLE:
        raise line.fault(f"{keyword} takes one value, not {len(words)}")
    word = words[0]
    if keyword == "port" and not (word.isascii() and word.isdigit() and 0 < int(word) < 65536):
        raise line.fault(f"{word} is not a port")
    if keyword == "connecttimeout" and word != "none" and seconds(word) is None:
        raise line.fault(f"{word} is not a time")
    if keyword in _FLAGS and word.lower() not in ("yes", "no", "true", "false"):
        raise line.fault(f"{keyword} must be yes or no, not {word}")
    if keyword == "canonicalizehostname" and word.lower() not in ("yes", "no", "true", "false", "always"):
        raise line.fault(f"{keyword} must be yes, no or always, not {word}")
    if keyword == "canonicalizemaxdots" and not (word.isascii() and word.isdigit()):
        raise line.fault(f"{word} is not a number")
    if keyword == "addressfamily" and word.lower() not in ("any", "inet", "inet6"):
        raise line.fault(f"{keyword} must be any, inet or inet6, not {word}")


_ONE_VALUE = """
    hostname user port identityfile certificatefile identityagent identitiesonly hostkeyalias connecttimeout tag
    canonicalizehostname canonicalizemaxdots canonicalizefallbacklocal addressfamily bindaddress ignoreunknown
"""
_SINGLE = frozenset(_ONE_VALUE.split())
