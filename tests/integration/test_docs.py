"""Every command that the documentation shows is run, and prints what it shows."""

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures.bind9 import NAMED, PATH
from tests.limits import HANG

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT)
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    if "```console" in page.read_text("utf-8")
)
MARK = "--- exit of command"


@dataclass(frozen=True)
class Command:
    """One `$ …` line of a page: what is typed, its exit code (`# exit N` behind it), and the output shown below it."""

    line: int
    typed: str
    exit: int
    shown: str


def commands(page: Path) -> list[Command]:
    """The commands of a page's console blocks, in their order."""
    found: list[Command] = []
    inside = False
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            typed, _, code = line[2:].partition("  # exit ")
            found.append(Command(number, typed, int(code or 0), ""))
        elif inside and line.startswith("> "):
            last = found[-1]
            found[-1] = Command(last.line, f"{last.typed}\n{line[2:]}", last.exit, last.shown)
        elif inside:
            last = found[-1]
            found[-1] = Command(last.line, last.typed, last.exit, last.shown + line + "\n")
    return found


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An empty home, and `multiall` on the PATH as a user has it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "multiall").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m multiall_cli "$@"\n')
    (programs / "multiall").chmod(0o755)
    (tmp_path / "home").mkdir()
    kept = {name: os.environ[name] for name in ("LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    return kept | {
        "PATH": f"{programs}:{PATH}",
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path),
        "COLUMNS": "80",
        "TZ": "UTC",
    }


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_of_the_page_does_what_the_page_shows(page: Path, shell: dict[str, str]) -> None:
    """All console blocks of a page are one session in an empty home."""
    typed = commands(ROOT / page)
    if any("named -g" in each.typed for each in typed) and NAMED is None:
        pytest.skip("there is no named: install bind9")
    script = "".join(f"{each.typed}\nrc=$?; echo; echo '{MARK}' $rc\n" for each in typed)
    try:
        done = subprocess.run(
            ["bash", "-c", f'exec 2>&1; cd "$HOME"\n{script}'],
            env=shell,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
    finally:
        play = Path(shell["HOME"]) / "play"
        if (play / "lab.json").exists():
            subprocess.run(["multiall", "demo", "--end", "--folder", play], env=shell, check=True, capture_output=True)
    printed = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
    outputs, codes = printed[0::2], printed[1::2]
    for each, output, code in zip(typed, outputs, codes, strict=False):
        where = f"{page}:{each.line}: $ {each.typed}"
        assert int(code) == each.exit, f"{where}\nended with {code}:\n{output}"
        assert not each.shown or _as_shown(each.shown, output), f"{where}\nshows:\n{each.shown}\nbut prints:\n{output}"
    assert len(codes) == len(typed), done.stdout[-2000:]


def _as_shown(shown: str, printed: str) -> bool:
    """`...` in a page stands for anything; white space is folded."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown.strip() + "\n", printed.strip() + "\n", flags)


def test_the_reference_is_what_the_code_says() -> None:
    """`./dev docs` has been run after the last change of a command or a schema."""
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_every_link_within_the_documentation_leads_somewhere() -> None:
    """Relative links name files that exist."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []
