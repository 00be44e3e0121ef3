"""ssh_config(5) read as OpenSSH reads it: lines, words and Includes; what they mean for a host is in `settings`.

paramiko's reader differs from it where a Match, an Include or a quote is not plain. Every function here follows
readconf.c of OpenSSH, and the tests compare it with `ssh -G`.
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
DEEPEST = 16  # Include within Include, as in OpenSSH
MOST_FILES = 1000  # files that include each other three times would be millions at that depth
_LEADS = frozenset(("hostname", "port", "proxyjump", "proxycommand", "match", "canonicalizehostname"))
_BLANK = " \t\r\n"
_FLAGS = frozenset(("identitiesonly", "canonicalizefallbacklocal"))
_SPAN = re.compile(r"(?:[0-9]+[sSmMhHdDwW]?)+")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Directive:
    """One line: its keyword in small letters, its words, and the rest of the line as it is written."""

    keyword: str
    words: tuple[str, ...]
    rest: str
    file: str
    line: int
    included: tuple[tuple["Directive", ...], ...] = ()
    """Of an Include: the lines of each file."""
    spelled: str = ""
    """The keyword as the file has it."""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def fault(self, what: str) -> UsageError:
        return UsageError(self.where, what, "mend that line of the ssh config")


def read(files: Sequence[str] = CONFIG_FILES, base: Path | None = None) -> tuple[tuple[Directive, ...], ...]:
    """The lines of each file, with those of its Includes; a file that is not there has none.

    `base`: where relative names of Includes are looked for; None: where ssh does.
    Errors: UsageError where a file cannot be read, or ssh itself would refuse it.
    """
    found = tuple(_ConfigReader(file.startswith(f"{SYSTEM}/"), base).top(file) for file in files)
    lines = tuple(all_directives(found))
    ignored = ",".join(line.words[0] for line in lines if line.keyword == "ignoreunknown")
    for line in lines:  # whether an IgnoreUnknown is in force is known only for a host
        check_known(line, ignored)
    return found


def check_known(line: Directive, ignored: str) -> None:
    """`ignored`: what IgnoreUnknown says. Errors: UsageError for a keyword that ssh does not have."""
    if line.keyword not in KNOWN and not matches_list(line.keyword, ignored.lower()):
        what = f"ssh has no keyword {line.keyword} (`IgnoreUnknown {line.keyword}` before it lets it pass)"
        raise line.fault(what)


def all_directives(files: Iterable[Iterable[Directive]]) -> Iterator[Directive]:
    """Every line, those of Includes in their places."""
    for lines in files:
        for line in lines:
            yield line
            yield from all_directives(line.included)


def may_change_address(files: Iterable[Iterable[Directive]]) -> bool:
    """Whether a config may lead elsewhere than to the address that the inventory names."""
    return any(line.keyword in _LEADS for line in all_directives(files))


def direct_endpoint(server: Server) -> tuple[str, int] | None:
    """Where a knock goes that no config leads astray; None where a jump host lies before it."""
    return None if server.ssh.jump else (server.address, server.ssh.port or 22)


@dataclass(slots=True)
class _ConfigReader:
    """Reads one file and its Includes. `system`: their relative names are below /etc/ssh, else below ~/.ssh."""

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
            raise bare.fault(f"there is nothing after {keyword}")
        words = split_words(rest)
        if words is None:
            raise bare.fault("a quote is not closed")
        found = Directive(keyword, tuple(words), rest, file, number, spelled=spelled)
        check(found)
        if keyword == "include":
            return replace(found, included=tuple(self._included(found, depth)))
        return found

    def _included(self, line: Directive, depth: int) -> Iterator[tuple[Directive, ...]]:
        for word in line.words:
            if not word or (word.startswith("~") and self.system):
                raise line.fault(f"it cannot include {word or 'nothing'}")
            place = self.base or (Path(SYSTEM) if self.system else Path("~/.ssh").expanduser())
            for name in sorted(glob.glob(str(place / os.path.expanduser(word)))):
                self.left -= 1
                if depth >= DEEPEST or self.left < 0:
                    raise line.fault(f"Includes go more than {DEEPEST} deep, or over more than {MOST_FILES} files")
                try:
                    text = _text(Path(name), checked=True)
                except OSError as fault:
                    # `conf.d/*` may find a folder, in which ssh sees nothing; one that is named is a mistake.
                    if isinstance(fault, FileNotFoundError | IsADirectoryError) and name != str(place / word):
                        continue
                    raise _unreadable(name, fault) from None
                yield tuple(self._lines(text, name, depth + 1))


def _text(path: Path, *, checked: bool) -> str:
    """Errors: OSError. `checked`: others may not have been able to write it, as ssh asks of the user's own files."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        state = os.fstat(opened.fileno())
        if checked and not _is_ours(state):
            raise PermissionError(1, "others own it or may write to it, which ssh refuses")
        return opened.read()


def _is_ours(state: os.stat_result) -> bool:
    """Whether nobody but us and root may write to it. A group of its owner alone may, as Debian's ssh has it."""
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
    what = f"it cannot be read ({fault.strerror}), so its ProxyJump and Host blocks are not known"
    return UsageError(file, what, "mend its owner and mode (`chmod go-w`)")


def split_keyword(line: str) -> tuple[str, str]:
    """The keyword and the rest of a line."""
    stripped = line.rstrip(_BLANK + "\f")
    keyword, rest = next_word(stripped)
    if not keyword and rest is not None:
        keyword, rest = next_word(rest)
    return keyword or "", (rest or "").lstrip(_BLANK)


def next_word(text: str) -> tuple[str | None, str | None]:
    """The next word and what follows it, as strdelim() of OpenSSH: one `=` may part words as a blank does.

    (None, None): a quote is not closed. What follows is None after the last word.
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
    """The words of a line up to a comment, as argv_split() of OpenSSH; None where a quote is not closed."""
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
    """match_pattern() of OpenSSH: `*` and `?`, nothing else; letters differ by case."""
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(4096)  # a scan asks for each server and each pattern
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)


def matches_list(text: str, patterns: str) -> bool:
    """match_pattern_list() of OpenSSH: patterns with commas, of which none with `!` may fit."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches(text, pattern[1:]):
                return False
        elif matches(text, pattern):
            found = True
    return found


def seconds(text: str) -> int | None:
    """A time such as 90 or 1m30s; None where it is none."""
    if not _SPAN.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit.lower() or "s"] for number, unit in re.findall(r"([0-9]+)([a-zA-Z]?)", text))


def check(line: Directive) -> None:
    """The values that decide where and how we connect. Errors: UsageError where ssh would refuse the line."""
    keyword, words = line.keyword, line.words
    if keyword in LINES or keyword in ("host", "match", "include"):
        return
    if not words:
        raise line.fault(f"there is nothing after {keyword}")
    if len(words) > 1 and keyword not in LISTS and keyword in _SINGLE:
        raise line.fault(f"{keyword} takes one value, not {len(words)}")
    word = words[0]
    if keyword == "port" and not (word.isascii() and word.isdigit() and 0 < int(word) < 65536):
        raise line.fault(f"{word} is no port")
    if keyword == "connecttimeout" and word != "none" and seconds(word) is None:
        raise line.fault(f"{word} is no time")
    if keyword in _FLAGS and word.lower() not in ("yes", "no", "true", "false"):
        raise line.fault(f"{keyword} is yes or no, not {word}")
    if keyword == "canonicalizehostname" and word.lower() not in ("yes", "no", "true", "false", "always"):
        raise line.fault(f"{keyword} is yes, no or always, not {word}")
    if keyword == "canonicalizemaxdots" and not (word.isascii() and word.isdigit()):
        raise line.fault(f"{word} is no number")
    if keyword == "addressfamily" and word.lower() not in ("any", "inet", "inet6"):
        raise line.fault(f"{keyword} is any, inet or inet6, not {word}")


_ONE_VALUE = """
    hostname user port identityfile certificatefile identityagent identitiesonly hostkeyalias connecttimeout tag
    canonicalizehostname canonicalizemaxdots canonicalizefallbacklocal addressfamily bindaddress ignoreunknown
"""
_SINGLE = frozenset(_ONE_VALUE.split())
