"""CI runners obey lines of a job's output: what comes from outside must not become a command of theirs."""

import re
from collections.abc import Mapping
from typing import Any, TextIO

DETECTED = ("GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
"""Variables by which GitHub's runners and those like them, Azure Pipelines and TeamCity are known."""
COMMAND = re.compile(
    r"(?:^|(?<=\r))[^\S\n]*(?P<colons>::)(?=[A-Za-z])|(?P<hashes>##)(?=(?P<word>[A-Za-z]*)\[)", re.MULTILINE
)
REMEMBERED = 200  # letters of a line that is not ended yet


def is_runner(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in DETECTED)


def broken(text: str, since: int = 0) -> str:
    """The text from a place on, with a backslash within every command of a runner; what stands before the place was
    written already.
    """
    parts, at = [], since
    for match in COMMAND.finditer(text):
        sign = "hashes" if match["hashes"] else "colons"
        end = match.end("word") if match["hashes"] else match.end()  # a command that is cut has no `[` yet
        if end >= since:
            place = max(match.start(sign) + 1, since)
            parts += [text[at:place], "\\"]
            at = place
    return "".join([*parts, text[at:]])


class Unobeyed:
    """A stream to a runner's log. All of a stream but what is written here goes on to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""

    def write(self, text: str) -> int:
        told = broken(self._line + text, len(self._line))
        line = (self._line + told).rpartition("\n")[2].rpartition("\r")[2]  # runners begin a line at either
        cut = line[:-REMEMBERED]  # nothing, as a rule; a command may follow any number of blanks
        self._line = ("x" if cut.strip() else cut[:1]) + line[-REMEMBERED:]
        self._stream.write(told)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for each in lines:
            self.write(each)

    def write_commands(self, text: str) -> None:
        """What is meant to be obeyed."""
        self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_commands(stream: Any, text: str) -> None:
    """Lines of ours that a runner is to obey."""
    getattr(stream, "write_commands", stream.write)(text)
