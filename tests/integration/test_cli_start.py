"""Start-up: nothing is loaded that a verb does not need; completion answers as a shell asks."""

import json
import re
import subprocess
import sys

import pytest

from tests.fixtures.desk import Desk, Terminal
from tests.limits import HANG

LOADED = """
import json, sys
from multiall_cli.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
WORLD = {"paramiko", "fabric", "invoke", "dns", "psycopg", "cryptography", "psutil", "starlette", "uvicorn", "jinja2"}
HELP = WORLD | {"rich", "yaml", "msgspec", "sqlite3", "multiall_cli.lab"}


def loaded(desk: Desk, *line: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *line], env=desk.env, capture_output=True, text=True, timeout=HANG, check=True
    )
    code, names = json.loads(done.stderr.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize("line", ["--help", "--version", "pool --help", "pool sync --help", "exec --help", "pool lst"])
def test_help_loads_no_world_no_tables_and_no_site(desk: Desk, line: str) -> None:
    _, names = loaded(desk, *line.split())
    assert names & HELP == set()


@pytest.mark.parametrize(
    "line",
    ["pool list", "pool show web", "pool status web", "journal list", "journal pending", "server list",
     "server show web1", "server explain web1", "inventory check", "inventory show", "pool status web --json",
     "pool plan wbe"],
)  # fmt: skip
def test_what_the_site_or_the_store_answers_loads_no_world(desk: Desk, line: str) -> None:
    code, names = loaded(desk, "--site", str(desk.site), *line.split())
    assert code == (2 if "wbe" in line else 0)
    assert names & WORLD == set()


@pytest.mark.parametrize("line", ["pool status web --json", "journal list -o name", "server list -o yaml"])
def test_what_a_program_reads_loads_no_tables(desk: Desk, line: str) -> None:
    assert "rich" not in loaded(desk, "--site", str(desk.site), *line.split())[1]


# --- completion -------------------------------------------------------------------------------------------------


def asked(desk: Desk, line: str, breaks: str = " \t\n\"'@><=;|&(:") -> list[str]:
    """What bash is told on TAB at the end of a line."""
    env = {**desk.env, "MULTIALL_SITE": str(desk.site), "_MULTIALL_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-m", "multiall_cli"],
        env={**env, "COMP_LINE": line, "COMP_BREAKS": breaks},
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("multiall po", ["pool"]),
        ("multiall pool sy", ["sync"]),
        ("multiall pool plan ", ["web"]),
        ("multiall pool plan x", []),
        ("multiall pool sync web --on", ["--only"]),
        ("multiall server show web", ["web1", "web2", "web3", "web4"]),
        ("multiall exec @", ["@web", "@failed", "@deferred"]),
        ("multiall exec @w", ["@web"]),
        ("multiall exec web1,@w", ["@web"]),
        ("multiall exec 'web1,@w", ["web1,@web"]),
        ("multiall exec rack=", ["r1"]),
        ("multiall exec ra", ["rack=r1"]),
        ("multiall exec '!web3", ["!web3"]),
        ("multiall pool plan web --only web2", ["web2"]),
        ("multiall journal list --pool ", ["web"]),
        ("multiall -o y", ["yaml"]),
    ],
)
def test_completion_of_names_from_the_site(desk: Desk, line: str, offered: list[str]) -> None:
    inventory = desk.site / "inventory" / "lab.yaml"
    inventory.write_text(inventory.read_text().replace("web1:\n", "web1:\n    labels: {rack: r1}\n"))
    assert asked(desk, line) == offered


def test_completion_is_silent_without_a_site_and_with_a_broken_one(desk: Desk) -> None:
    (desk.site / "inventory" / "b.yaml").write_text("servers: [")
    assert asked(desk, "multiall pool plan ") == []
    desk.env["HOME"] = str(desk.folder / "home")
    desk.folder.joinpath("site").rename(desk.folder / "gone")
    assert asked(desk, "multiall pool plan ") == []


def test_completion_in_a_real_bash(desk: Desk) -> None:
    """bash cuts words at @ and =; what it puts on the line in the end is what counts."""
    programs = desk.folder / "bin"
    programs.mkdir()
    (programs / "multiall").write_text(f'#!/bin/sh\nexec {sys.executable} -m multiall_cli "$@"\n')
    (programs / "multiall").chmod(0o755)
    env = {**desk.env, "MULTIALL_SITE": str(desk.site), "PATH": f"{programs}:{desk.env['PATH']}", "PS1": "ready> "}
    shown = subprocess.run(
        ["bash", "-c", "multiall --show-completion"], env=env, capture_output=True, text=True, timeout=HANG
    )
    script = desk.folder / "completion.sh"
    script.write_text(shown.stdout)
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], {**env, "TERM": "dumb"}, 120)
    desk.terminals.append(shell)
    shell.until("ready> ")
    shell.type(f". {script}; PS1='go> '\n")
    shell.until(r"\ngo> ")
    for line, completed in (("exec @w", "exec @web "), ("pool plan w", "pool plan web ")):
        shell.type(f"multiall {line}\t")
        shell.until(rf"go> multiall {re.escape(completed)}")
        shell.type("\x15")


def test_a_line_that_is_understood_in_a_fifth_of_a_second(desk: Desk) -> None:
    """Not a benchmark: it fails where someone imports the world at start-up."""
    import time

    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert desk.started("--help", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(HANG) == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 1.0  # 0.09 s on the machine where it was written
