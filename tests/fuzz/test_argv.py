"""The command line itself: any words, options and values, plan ids among them, end with an exit code of the table."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.domain.exits import Exit
from tests.fixtures.desk import MULTIALL, ROOT, Done, called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS
from tests.fuzz.verdict import ended_well
from tests.limits import HANG

SITE = """\
servers:
  web[1-2]: {address: 127.0.0.1, ssh: {port: 1}, labels: {rack: r1}}
pools:
  web:
    members: web[1-2]
    files: [{path: ~/www, source: ./trees/www}]
"""
# No word is a path outside that could be written to.
VERBS = (
    ("inventory", "check"), ("inventory", "show"), ("inventory", "schema"), ("inventory", "import"), ("pool", "list"),
    ("pool", "show"), ("pool", "plan"), ("pool", "sync"), ("pool", "status"), ("pool", "diff"), ("server", "list"),
    ("server", "show"), ("server", "explain"), ("server", "facts"), ("server", "trust"), ("journal", "list"),
    ("journal", "show"), ("journal", "pending"), ("exec",), ("cp",), ("doctor",), ("init",), ("pool",),
)  # fmt: skip
OPTIONS = (
    "--json", "-o", "--output", "--output=yaml", "-ojson", "--quiet", "-q", "--yes", "-y", "--parallel", "--timeout",
    "--plan", "--only", "--force-guard", "--lock-wait", "--dry-run", "--limit", "--pool", "--diff", "--stream",
    "--stdin", "--sudoers", "--replace", "--to", "--help", "-h", "--version", "--", "-", "-x", "--site", "---", "-oo",
    "--plan=", "--only=", "--lock-wait=nan", "--timeout=inf", "--limit=0", "--parallel=1e3", "--force-guard=all",
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "-1",
    "1e3",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "٣",
    "²",
    "9" * 30,
    "9" * 5000,
    "1_0",
    "+1",
    " 1",
    "1.5",
)
WORDS = (
    "web", "web1", "@web", "rack=r1", "web[1-2]", "web1:/x", "web1:", ":/x", ":", "@failed", "table", "json", "ndjson",
    "yaml", "name", "junit", "github", "deletions", "ssh-config", "ansible", "site.yaml", "made", "x" * 300, "", " ",
    "~nobody/x", "inventory", "settings", "a1b2c3d4", "0" * 64, "%", "_", "*", "true", "trees", "/dev/null/x", "é",
    "\udcff",
)  # fmt: skip

free = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), max_size=10)
odd = st.sampled_from([word for word in (*SIGNS, *RANGES) if "\0" not in word and not word.startswith(("/", "."))])
word = st.one_of(st.sampled_from(OPTIONS), st.sampled_from(WORDS), st.sampled_from(NUMBERS), odd, free)
lines = st.builds(
    lambda before, verb, after: [*before, *verb, *after],
    st.lists(st.sampled_from(OPTIONS) | st.sampled_from(NUMBERS), max_size=2),
    st.sampled_from(VERBS),
    st.lists(word, max_size=6),
)
FORBIDDEN = {"shell", "demo", "lab"}
"""They take this process over, or begin others."""


@pytest.fixture
def site(own_place: Path) -> Path:
    """Two servers at which nothing listens, and a tree."""
    for folder in ("inventory", "trees/www"):
        (own_place / folder).mkdir(parents=True)
    (own_place / "inventory" / "site.yaml").write_text(SITE)
    (own_place / "trees" / "www" / "a").write_text("x")
    return own_place


def _is_harmless(line: list[str]) -> bool:
    return not FORBIDDEN & set(line)


@cases(700)
@given(lines)
@example(["--site", "~nobody/x", "pool", "list"])
@example(["init", "x" * 300])
@example(["pool", "sync", "web", "--lock-wait", "nan", "--yes"])
@example(["journal", "list", "--limit", "9" * 30])
@example(["inventory", "import", "ansible", "\x1b[31m"])
@example(["cp", "web1:/x", "~nobody/x"])
@example(["exec", "--stdin", "web", "true"])
def test_any_line_ends_with_a_code_of_the_table(site: Path, line: list[str]) -> None:
    """Whatever its words, nothing that a terminal would obey comes back."""
    if _is_harmless(line):
        ended_well(called(line))


@cases(200)
@given(st.lists(st.one_of(word, st.sampled_from([each for verb in VERBS for each in verb])), max_size=7))
def test_words_in_any_order_end_with_a_code_of_the_table(site: Path, line: list[str]) -> None:
    """No verb, two verbs, options without a verb."""
    if _is_harmless(line):
        ended_well(called(line))


@cases(150)
@given(
    st.one_of(st.binary(max_size=30), st.lists(odd, max_size=5).map(lambda words: "\n".join(words).encode())),
    st.sampled_from([["exec", "-", "true"], ["exec", "--stdin", "web1", "true"], ["pool", "sync", "web"]]),
)
@example(b"web1\n\xff\n", ["exec", "-", "true"])
def test_any_standard_input_ends_with_a_code_of_the_table(site: Path, typed: bytes, line: list[str]) -> None:
    """Names of servers, what a command is given, and an answer that no one asked for."""
    ended_well(called(line, typed))


ids = st.one_of(st.text("0123456789abcdef", max_size=64), free, odd, st.sampled_from([*NUMBERS, "A" * 5000]))


@cases(150)
@given(ids, st.sampled_from([["pool", "sync", "web", "--yes", "--plan"], ["journal", "show"]]))
def test_no_id_of_a_plan_or_a_run_fits_by_accident(site: Path, told: str, line: list[str]) -> None:
    """Nothing is done on an id that is not the present plan's, and no run is shown that is not there."""
    done = called([*line, "--", told] if line[0] == "journal" else [*line[:-1], f"--plan={told}"])
    ended_well(done)
    assert done.exit in (Exit.USAGE, Exit.REFUSED, Exit.PARTIAL)


@cases(8)
@given(lines.filter(lambda line: not any("\udc80" <= sign <= "\udcff" for sign in "".join(line))))
def test_a_real_process_ends_the_same(site: Path, line: list[str]) -> None:
    """Through the door that people use: argv of bytes, a closed stdin, two pipes."""
    if not _is_harmless(line):
        return
    command = [*MULTIALL[:1], "-P", *MULTIALL[1:], *line]
    made = subprocess.run(
        command, cwd=site, env={"HOME": str(site), "PYTHONPATH": str(ROOT), "PATH": sys.exec_prefix},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG,
    )  # fmt: skip
    ended_well(Done(made.returncode, made.stdout.decode(), made.stderr.decode()))
