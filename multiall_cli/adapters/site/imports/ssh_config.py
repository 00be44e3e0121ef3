"""OpenSSH's client configuration as an inventory: each Host that is a name becomes a server."""

import glob
import os
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from multiall_cli.adapters.site.imports.imported import Dropped, Gathered, Imported, refused
from multiall_cli.adapters.site.read import read_text
from multiall_cli.domain.errors import Fault, InputFaults, Origin
from multiall_cli.planning.targets.ranges import shown

DEPTH = 16
"""How deep Include may go, as in OpenSSH."""

MOST_FILES = 1000
"""How many files one import reads: files that include themselves twice would be 65,536 at that depth."""

_KEYS = {"hostname": "address", "user": "user", "port": "port", "proxyjump": "jump", "identityfile": "identity"}


def import_ssh_config(path: Path) -> Imported:
    """The servers of an ssh_config(5) file and the files that it includes.

    A keyword's first value holds, as in OpenSSH. Match blocks, hosts with wildcards and keywords that an
    inventory has no word for are dropped; for the connection they stay in force in the file itself.
    Errors: InputFaults where the file cannot be read.
    """
    reader = _Reader(path.parent)
    fault = reader.read(path, 0)
    if fault is not None:
        raise InputFaults((fault,))
    return Imported(tuple(host.server() for host in reader.hosts.values()), (), tuple(reader.dropped))


class _Reader:
    """Reads line by line; `_block` has the hosts that the present lines are for."""

    def __init__(self, folder: Path) -> None:
        self.hosts: dict[str, Gathered] = {}
        self.dropped: dict[Dropped, None] = {}  # a file that is read twice tells nothing twice
        self._folder = folder
        self._left = MOST_FILES
        self._block: tuple[Gathered, ...] | None = ()
        """None within a block that is dropped as a whole and has been told."""

    def read(self, path: Path, depth: int) -> Fault | None:
        text = read_text(path, str(path))
        if isinstance(text, Fault):
            return text
        for origin, keyword, words in self._lines(text, str(path)):
            if keyword == "host":
                self._host(words, origin)
            elif keyword == "match":
                self._drop(origin, f"the block 'Match {' '.join(words)}'")
                self._block = None
            elif keyword == "include":
                self._include(words, origin, depth)
            elif self._block is not None:
                self._keyword(keyword, words, origin)
        return None

    def _drop(self, origin: Origin, what: str) -> None:
        # A line of the file, which may hold anything, goes to the terminal.
        self.dropped[Dropped(origin, what if what.isprintable() else ascii(what))] = None

    def _lines(self, text: str, file: str) -> Iterator[tuple[Origin, str, list[str]]]:
        for number, line in enumerate(text.split("\n"), 1):
            content = line.strip()
            if not content or content.startswith("#"):
                continue
            origin = Origin(file, number, len(line) - len(line.lstrip()) + 1)
            keyword, rest = _keyword_of(content)
            try:
                yield origin, keyword.lower(), shlex.split(rest, comments=True)
            except ValueError:
                # What follows a broken Host line belongs to no host.
                self._block = None if keyword.lower() in ("host", "match") else self._block
                self._drop(origin, f"{shown(content)} has a quote without its brother")

    def _host(self, patterns: list[str], origin: Origin) -> None:
        hosts: list[Gathered] = []
        for pattern in patterns:
            if any(sign in pattern for sign in "*?!"):
                self._drop(origin, f"'Host {pattern}' is a pattern, not a server")
            elif why := refused("name", pattern):
                self._drop(origin, why)
            else:
                hosts.append(self.hosts.setdefault(pattern, Gathered(pattern, origin)))
        self._block = tuple(hosts) or None

    def _keyword(self, keyword: str, words: list[str], origin: Origin) -> None:
        key = _KEYS.get(keyword)
        if not self._block:
            self._drop(origin, f"{shown(keyword)} for all hosts")
        elif key is None or len(words) != 1:
            self._drop(origin, f"{shown(keyword)} of {self._block[0].name}")
        elif not (key == "jump" and words[0].lower() == "none"):
            for host in self._block:
                self._put(host, key, words[0], origin)

    def _put(self, host: Gathered, key: str, word: str, origin: Origin) -> None:
        value = word.replace("%%", "%").replace("%h", host.name) if key == "address" else word
        if key == "identity":
            value = value.replace("%d", "~", 1) if value.startswith("%d/") else value
            if not value.startswith(("/", "~/")) or "%" in value:
                return self._drop(origin, f"the key {shown(value)} of {host.name} is no path from / or ~/")
        why = refused(key, value)
        if why:
            self._drop(origin, f"{why} of {host.name}")
        elif key == "identity" and key in host.values:
            self._drop(origin, f"a further key of {host.name}, {shown(value)}")
        else:
            host.put(key, value, origin)
        return None

    def _include(self, patterns: list[str], origin: Origin, depth: int) -> None:
        if depth >= DEPTH:
            return self._drop(origin, f"Include more than {DEPTH} deep")
        block = self._block
        for name in [name for pattern in patterns for name in self._named(pattern)]:
            self._left -= 1
            if self._left < 0:
                return self._drop(origin, f"Include of more than {MOST_FILES:,} files in all")
            fault = self.read(Path(name), depth + 1)
            if fault is not None:
                self._drop(fault.origin, fault.what)
            self._block = block
        return None

    def _named(self, pattern: str) -> list[str]:
        """The files that a pattern of Include means, no more of them than may still be read."""
        if "\0" in pattern:
            return []  # no file can be called so
        below = os.path.expanduser(pattern)
        # OpenSSH takes ~/.ssh; here it is the folder of the file that was named.
        found = glob.iglob(below if os.path.isabs(below) else str(self._folder / below))
        return sorted(islice(found, max(self._left, 0) + 1))


def _keyword_of(content: str) -> tuple[str, str]:
    """`Key value`, `Key=value` and `Key = value`."""
    end = next((place for place, sign in enumerate(content) if sign in " \t="), len(content))
    return content[:end], content[end:].lstrip(" \t").removeprefix("=").strip()
