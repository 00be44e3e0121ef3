"""The text of ~/.ssh/config, and what is known from it alone: a scan that logs in nowhere needs no more."""

import glob
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from multiall_cli.domain.inventory import Server

CONFIG_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
_LEADS = re.compile(r"^\s*(?:hostname|port|proxyjump|proxycommand|match)\b", re.IGNORECASE | re.MULTILINE)
DEEPEST = 16  # Include within Include, as in OpenSSH


def texts(files: Sequence[str] = CONFIG_FILES) -> Mapping[str, str]:
    """What each file says, with what it includes."""
    return {file: "".join(_lines(Path(file).expanduser(), DEEPEST)) for file in files}


def leads_astray(said: Iterable[str]) -> bool:
    """Whether a config may lead elsewhere than to the address that the inventory names."""
    return any(_LEADS.search(text) for text in said)


def straight(server: Server) -> tuple[str, int] | None:
    """Where a knock goes that no config leads astray; None where a jump host lies before it."""
    return None if server.ssh.jump else (server.address, server.ssh.port or 22)


def _lines(file: Path, depth: int) -> Iterator[str]:
    """The file's lines with those of its Includes, which paramiko does not know, in their places."""
    try:
        text = file.read_text("utf-8", "surrogateescape")
    except OSError:
        return
    block = "Host *\n"
    for line in text.splitlines(keepends=True):
        word, *rest = line.replace("=", " ", 1).split(None, 1) or [""]
        if word.lower() in ("host", "match"):
            block = line if line.endswith("\n") else line + "\n"
        if word.lower() != "include" or not depth:
            yield line
            continue
        for pattern in shlex.split(rest[0] if rest else ""):
            for included in sorted(glob.glob(str(file.parent / Path(pattern).expanduser()))):
                yield from _lines(Path(included), depth - 1)
                yield "\n"
        yield block  # the block in which the Include stood goes on
