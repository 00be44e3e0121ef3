"""Imports OpenSSH's client configuration: each Host that is a name becomes a server."""

import glob
import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from multiall_cli.adapters.site.imports.result import ImportResult, ServerDraft, SkippedEntry, refusal
from multiall_cli.adapters.site.read import read_text
from multiall_cli.adapters.ssh.config import CONFIG_FILES, read
from multiall_cli.adapters.ssh.host_config import HostConfig, HostQuery, host_config
from multiall_cli.domain.errors import Fault, InputFaults, Origin, UsageError
from multiall_cli.planning.targets.ranges import shown

DEPTH = 16
"""Nesting depth of Includes, as in OpenSSH."""

MOST_FILES = 1000
"""Files that one import reads: files that include themselves twice would be 65,536 at that depth."""

_KEYS = {"hostname": "address", "user": "user", "port": "port", "proxyjump": "jump", "identityfile": "identity"}


def import_ssh_config(path: Path, in_force: Sequence[str] = CONFIG_FILES) -> ImportResult:
    """Import the servers of an ssh_config(5) file and of its Includes.

    Values that a lookup of the server's name in the files `in_force` gives are not repeated, so that the whole file
    stays in force. Values of another file are those that ssh would use, patterns and Match blocks included; keywords
    without a counterpart in an inventory are dropped, and no command of a `Match exec` is run.
    Raises InputFaults if the file cannot be read.
    """
    given = any(_is_same(path, file) for file in in_force)
    reader = _SshConfigReader(path.parent, tells_keywords=not given)
    fault = reader.read(path, 0)
    if fault is not None:
        raise InputFaults((fault,))
    hosts = tuple(reader.hosts.values())
    if given:
        for host in hosts:
            host.values.clear()
    else:
        reader.settle(path, in_force)
    return ImportResult(tuple(host.server() for host in hosts), (), tuple(reader.skipped))


def _is_same(path: Path, file: str) -> bool:
    try:
        return path.samefile(Path(file).expanduser())
    except OSError:
        return False


def _values(config: HostConfig) -> dict[str, str]:
    """Return ssh's values for a host, by the keys of an inventory."""
    found = {key: config.text(keyword) for keyword, key in _KEYS.items() if key != "address"}
    return {"address": config.hostname, **{key: value for key, value in found.items() if value not in ("", "none")}}


class _SshConfigReader:
    """Reads line by line; `_block` has the hosts of the current lines."""

    def __init__(self, folder: Path, *, tells_keywords: bool = True) -> None:
        self.hosts: dict[str, ServerDraft] = {}
        self.skipped: dict[SkippedEntry, None] = {}  # a file that is read twice reports nothing twice
        self._folder = folder
        self._tells_keywords = tells_keywords
        self._left = MOST_FILES
        self._block: tuple[ServerDraft, ...] | None = ()
        """None in a block that is dropped as a whole and was reported."""

    def read(self, path: Path, depth: int) -> Fault | None:
        text = read_text(path, str(path))
        if isinstance(text, Fault):
            return text
        for origin, keyword, words in self._lines(text, str(path)):
            if keyword == "host":
                self._host(words, origin)
            elif keyword == "match":
                self._skip(origin, f"the block 'Match {' '.join(words)}'")
                self._block = None
            elif keyword == "include":
                self._include(words, origin, depth)
            elif self._block is not None:
                self._keyword(keyword, words, origin)
        return None

    def settle(self, path: Path, in_force: Sequence[str]) -> None:
        """Give each host the values that ssh would use, except those that its name gives already."""
        try:
            files, ours = read([str(path)], base=self._folder), read(in_force)
            for host in self.hosts.values():
                asked = HostQuery(host.name, runs=False)
                values = _values(host_config(files, asked, resolve=lambda name: False))
                given = _values(host_config(ours, asked, resolve=lambda name: False))
                self._settle(host, {key: value for key, value in values.items() if given.get(key) != value})
        except UsageError as fault:
            self._skip(Origin(str(path), 1, 1), f"values of patterns and Match blocks, because ssh refuses it: {fault}")

    def _settle(self, host: ServerDraft, values: dict[str, str]) -> None:
        """Store the values. Those of its own lines have a position; others come from a pattern's or a Match block."""
        before, host.values = host.values, {}
        for key, value in values.items():
            _, origin = before.get(key, ("", host.origin))
            self._take(host, key, value, origin)

    def _skip(self, origin: Origin, what: str) -> None:
        # The text may be any line of the file, and is printed on a terminal.
        self.skipped[SkippedEntry(origin, what if what.isprintable() else ascii(what))] = None

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
                # Lines after a broken Host line belong to no host.
                self._block = None if keyword.lower() in ("host", "match") else self._block
                self._skip(origin, f"{shown(content)} has an unmatched quote")

    def _host(self, patterns: list[str], origin: Origin) -> None:
        hosts: list[ServerDraft] = []
        for pattern in patterns:
            if any(sign in pattern for sign in "*?!"):
                self._skip(origin, f"'Host {pattern}' is a pattern, not a server")
            elif why := refusal("name", pattern):
                self._skip(origin, why)
            else:
                hosts.append(self.hosts.setdefault(pattern, ServerDraft(pattern, origin)))
        self._block = tuple(hosts) or None

    def _keyword(self, keyword: str, words: list[str], origin: Origin) -> None:
        key = _KEYS.get(keyword)
        if not self._tells_keywords:
            return
        if not self._block:
            self._skip(origin, f"{shown(keyword)} for all hosts")
        elif key is None or len(words) != 1:
            self._skip(origin, f"{shown(keyword)} of {self._block[0].name}")
        elif not (key == "jump" and words[0].lower() == "none"):
            for host in self._block:
                self._put(host, key, words[0], origin)

    def _put(self, host: ServerDraft, key: str, word: str, origin: Origin) -> None:
        self._take(host, key, word.replace("%%", "%").replace("%h", host.name) if key == "address" else word, origin)

    def _take(self, host: ServerDraft, key: str, value: str, origin: Origin) -> None:
        if key == "identity":
            value = value.replace("%d", "~", 1) if value.startswith("%d/") else value
            if not value.startswith(("/", "~/")) or "%" in value:
                return self._skip(origin, f"the key {shown(value)} of {host.name} is not a path from / or ~/")
        why = refusal(key, value)
        if why:
            self._skip(origin, f"{why} of {host.name}")
        elif key == "identity" and key in host.values:
            self._skip(origin, f"another key of {host.name}, {shown(value)}")
        else:
            host.put(key, value, origin)
        return None

    def _include(self, patterns: list[str], origin: Origin, depth: int) -> None:
        if depth >= DEPTH:
            return self._skip(origin, f"Include more than {DEPTH} deep")
        block = self._block
        for name in [name for pattern in patterns for name in self._named(pattern)]:
            self._left -= 1
            if self._left < 0:
                return self._skip(origin, f"Include of more than {MOST_FILES:,} files in all")
            fault = self.read(Path(name), depth + 1)
            if fault is not None:
                self._skip(fault.origin, fault.what)
            self._block = block
        return None

    def _named(self, pattern: str) -> list[str]:
        """Return the files that a pattern of Include matches, up to the limit."""
        if "\0" in pattern:
            return []  # not a possible file name
        below = os.path.expanduser(pattern)
        # OpenSSH starts at ~/.ssh; here it is the folder of the imported file.
        found = glob.iglob(below if os.path.isabs(below) else str(self._folder / below))
        return sorted(islice(found, max(self._left, 0) + 1))


def _keyword_of(content: str) -> tuple[str, str]:
    """`Key value`, `Key=value` and `Key = value`."""
    end = next((place for place, sign in enumerate(content) if sign in " \t="), len(content))
    return content[:end], content[end:].lstrip(" \t").removeprefix("=").strip()
