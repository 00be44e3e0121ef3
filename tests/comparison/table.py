"""The whole table, as a page of the documentation and as text for the terminal."""

import sys
import tomllib
from collections.abc import Iterator, Mapping

from tests.comparison.case import Case, Tool
from tests.comparison.cases import members, targets, trees
from tests.lab.ground import ROOT

CASES = (*targets.CASES, *members.CASES, *trees.CASES)
ABOUT = """\
# MultiAll and other programs in awkward cases

What each program does, not what it is for: Ansible and pyinfra have modules for nearly everything, ClusterShell and
parallel-ssh are small on purpose. Each cell is a test that starts the real program against three real SSH servers
(`./dev comparison`), so a cell changes only when a program does. Not tested are dashes, what a program lacks, and
remarks in brackets. They run with their default settings and the options that are named. Ansible keeps no connection
between runs here, and pipelines.

As measured with {versions}; rsync and OpenSSH are the
system's.
"""


def versions() -> Mapping[str, str]:
    """The packages of other programs, as pyproject.toml asks for them."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = told["project"]["optional-dependencies"]["comparison"]
    return dict(each.split("==") for each in wanted)


def page() -> str:
    """One table per case: six columns of words are wider than a page."""
    named = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [ABOUT.format(versions=named)]
    for case in CASES:
        lines += [f"## {case.title[0].upper()}{case.title[1:]}", "", "| | |", "|---|---|"]
        lines += [f"| {tool} | {words} |" for tool, words in _cells(case)]
        lines.append("")
    return "\n".join(lines)


def text() -> str:
    """The same for a terminal."""
    lines = []
    for case in CASES:
        lines.append(case.title)
        lines += [f"  {tool:16} {words.replace('**', '')}" for tool, words in _cells(case)]
    return "\n".join(lines) + "\n"


def _cells(case: Case) -> Iterator[tuple[Tool, str]]:
    for tool in Tool:
        yield tool, case.expected[tool].words if tool in case.expected else case.lacks


if __name__ == "__main__":
    sys.stdout.write(text())
