"""server trust, shell, facts; doctor on servers that are ill; the journal by a prefix. And hostile names."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures.desk import Desk
from tests.limits import HANG


def known_hosts(desk: Desk) -> Path:
    return desk.site / "known_hosts"


def forget(desk: Desk, name: str) -> str:
    """Take a server's key out of the site's known hosts; the line that it had."""
    address, port = desk.lab.addresses[name]
    lines = known_hosts(desk).read_text().splitlines()
    mine = [line for line in lines if line.split()[0] == f"[{address}]:{port}"]
    known_hosts(desk).write_text("".join(f"{line}\n" for line in lines if line not in mine))
    return mine[0]


def mistake(desk: Desk, name: str) -> None:
    """As if it had been known under another server's key."""
    line = forget(desk, name)
    other = known_hosts(desk).read_text().split()[1:3]
    with known_hosts(desk).open("a") as file:
        file.write(f"{line.split()[0]} {' '.join(other)}\n")


def test_an_unknown_key_is_shown_and_pinned(desk: Desk) -> None:
    line = forget(desk, "web1")
    assert desk.call("exec", "web1", "--", "true").exit == 3
    refused = desk.call("server", "trust", "web1")
    assert refused.exit == 4
    assert re.search(
        r"^web1: ecdsa-sha2-nistp256 SHA256:\S+ \(unknown\)\nnot trusted: there is no terminal", refused.out
    )
    assert line not in known_hosts(desk).read_text()
    pinned = desk.call("server", "trust", "web1", "--yes")
    assert (pinned.exit, pinned.out.splitlines()[1]) == (0, f"pinned in {known_hosts(desk)}")
    assert line.split()[2] in known_hosts(desk).read_text()
    assert desk.call("exec", "web1", "--", "true").exit == 0
    assert desk.call("server", "trust", "web1", "--quiet").out == ""


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 4), ("\x03", 130)])
def test_the_key_is_asked_for_on_a_terminal(desk: Desk, answer: str, code: int) -> None:
    forget(desk, "web1")
    before = known_hosts(desk).read_text()
    shown = desk.typed("server", "trust", "web1", "--json" if code == 0 else "--timeout=9")
    shown.until(r"web1 shows the ecdsa-sha2-nistp256 key SHA256:\S+ as \S+, unknown so far\n")
    shown.until(r"Trust it\? \[y/N\] ")
    shown.type(answer)
    assert shown.ended() == code
    assert (known_hosts(desk).read_text() != before) == (code == 0)


def test_a_changed_key_is_refused_until_it_is_replaced(desk: Desk) -> None:
    mistake(desk, "web1")
    done = desk.call("exec", "web1", "--json", "--", "true").json()["servers"][0]
    assert "multiall server trust web1" in done["todo"]
    refused = desk.call("server", "trust", "web1", "--yes")
    assert refused.exit == 4
    assert "(changed)\nnot trusted: it is known under another key; if that is meant: " in refused.out
    assert "`multiall server trust web1 --replace`\n" in refused.out
    told = desk.call("server", "trust", "web1", "--json").json()
    assert (told["offer"]["known"], told["done"], bool(told["refused"])) == ("changed", "", True)
    assert desk.call("server", "trust", "web1", "--replace", "--yes").exit == 0
    assert desk.call("exec", "web1", "--", "true").exit == 0


def test_a_shell_is_the_ssh_client_with_the_sites_words(desk: Desk) -> None:
    programs = desk.folder / "bin"
    programs.mkdir()
    (programs / "ssh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (programs / "ssh").chmod(0o755)
    process = desk.started("server", "shell", "web1", env={"PATH": f"{programs}:{desk.env['PATH']}"})
    out, err = process.communicate(timeout=HANG)
    address, port = desk.lab.addresses["web1"]
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [
        "-o", f'UserKnownHostsFile="{known_hosts(desk)}" ~/.ssh/known_hosts',
        "-p", str(port), "-l", "lab", "-i", str(desk.lab.key), "-o", f"HostName={address}", "--", "web1",
    ]  # fmt: skip


def test_facts_are_in_the_order_of_the_inventory(desk: Desk) -> None:
    desk.lab.kill("web2")
    done = desk.call("server", "facts", "web4, web1, web2")
    assert [line.split()[0] for line in done.out.splitlines()] == ["SERVER", "web1", "web4", "web2:"]
    assert done.out.splitlines()[-1].endswith("; start its sshd, or set `ssh.port`")


# --- doctor -----------------------------------------------------------------------------------------------------


@contextmanager
def program(desk: Desk, member: str, name: str, text: str) -> Iterator[None]:
    """A program that comes first in a member's PATH. Sessions of other tests are over."""
    file = desk.lab.home(member) / "bin" / name
    file.write_text(text)
    file.chmod(0o755)
    try:
        yield
    finally:
        file.unlink()


def rows(desk: Desk, *words: str) -> tuple[int, dict[str, list[tuple[str, str, str]]]]:
    done = desk.call("doctor", *words, "--json")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for each in done.json()["findings"]:
        found.setdefault(each["subject"], []).append((each["health"], each["what"], each["todo"]))
    return done.exit, found


def test_doctor_where_all_is_well(desk: Desk) -> None:
    done = desk.call("doctor")
    assert (done.exit, done.out) == (0, "SUBJECT                STATE  WHAT\nsite, store, web[1-4]  ok\n")


def test_doctor_on_a_dead_server_and_one_whose_key_is_unknown(desk: Desk) -> None:
    desk.lab.kill("web1")
    forget(desk, "web2")
    mistake(desk, "web3")
    code, found = rows(desk)
    assert code == 3
    assert found["web1"][0][0] == found["web2"][0][0] == found["web3"][0][0] == "problem"
    assert "nothing listens on" in found["web1"][0][1]
    assert "multiall server trust web2" in found["web2"][0][2]
    assert "multiall server trust web3" in found["web3"][0][2]
    assert found["web4"][0][0] == "ok"
    table = desk.call("doctor").out.splitlines()
    problems = [line for line in table[1:] if " problem " in line]
    assert table[1 : 1 + len(problems)] == problems
    assert {line.split()[0] for line in problems} == {"web1", "web2", "web3"}
    assert table[-1] == "site, store, web4  ok"


def test_doctor_on_a_server_without_python(desk: Desk) -> None:
    with program(desk, "web1", "python3", "#!/bin/sh\nexit 127\n"):
        code, found = rows(desk, "web1")
    ((health, what, todo),) = found["web1"]
    assert (code, health) == (3, "problem")
    assert "python3" in what
    assert "install" in todo


def test_doctor_on_a_server_whose_clock_is_ahead(desk: Desk) -> None:
    """Its python is told another time before it is given our loop: all else is as it always is."""
    real = sys.executable
    shim = f"#!{real}\nimport os, sys\n" + (
        "ahead = 'import time; now = time.time; time.time = lambda: now() + 3600\\n'\n"
        f"os.execv({real!r}, [{real!r}, sys.argv[1], ahead + sys.argv[2], *sys.argv[3:]])\n"
    )
    with program(desk, "web1", "python3", shim):
        code, found = rows(desk, "web1")
    assert code == 0
    assert ("warning", "its clock is 3600 s ahead of ours", "`multiall exec web1 -- timedatectl set-ntp true`") in (
        found["web1"]
    )


# --- the journal ------------------------------------------------------------------------------------------------


def test_a_run_by_the_beginning_of_its_id(desk: Desk) -> None:
    desk.lab.kill("web4")
    run = desk.call("pool", "sync", "web", "--yes", "--json").json()["run"]
    whole = desk.call("journal", "show", run)
    assert whole.exit == 0
    assert desk.call("journal", "show", run[:-3]).out == whole.out
    assert "web1    done   create  files:" in whole.out
    assert "missed by web4 (nothing listens on " in whole.out
    (desk.tree / "a.txt").write_text("again")
    desk.call("pool", "sync", "web", "--yes")
    both = desk.call("journal", "show", run[:6])
    assert (both.exit, both.out) == (2, "")
    assert "several runs begin so" in both.err
    assert desk.call("journal", "show", "").exit == 2
    assert desk.call("journal", "show", "%").exit == 2
    assert desk.call("journal", "list", "--limit", "1", "-o", "name").out.splitlines() != [run]


def test_pending_is_settled_by_the_next_sync(desk: Desk) -> None:
    desk.lab.kill("web4")
    desk.call("pool", "sync", "web", "--yes")
    waiting = desk.call("journal", "pending")
    assert waiting.exit == 3
    assert [line.split()[:2] for line in waiting.out.splitlines()[:2]] == [["SERVER", "KIND"], ["web4", "missed"]]
    assert waiting.out.splitlines()[-1] == "1 thing pending: the next sync (or the same copy again) settles them"
    desk.lab.start("web4")
    assert desk.call("pool", "sync", "web", "--yes").exit == 0
    assert desk.call("journal", "pending").out == "nothing is pending\n"
    assert desk.call("journal", "pending", "--pool", "web").exit == 0


# --- names ------------------------------------------------------------------------------------------------------

HOSTILE = ["\x1b[2Jcleared", "[red]x", "[bold", "a\u202egpj.exe", "line\nbreak", "tab\there", os.fsdecode(b"caf\xe9")]


@pytest.mark.parametrize("output", ["table", "wide", "json", "ndjson", "yaml", "name", "junit", "github"])
def test_names_of_files_cannot_steer_the_terminal(desk: Desk, output: str) -> None:
    for name in HOSTILE:
        (desk.tree / name).write_text("x\n")
    for line in (["pool", "plan", "web"], ["pool", "diff", "web"], ["pool", "sync", "web", "--yes"]):
        done = desk.call(*line, "-o", output)
        assert done.exit in (0, 10), done
        assert set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err)) == set()
        if output == "table" and line[1] == "plan":
            assert "[red]x  file" in done.out
            assert r"\x1b[2Jcleared  file" in done.out
            assert r"caf\xe9  file" in done.out
    run = desk.call("journal", "list", "-o", "name").out.split()[0]
    done = desk.call("journal", "show", run, "-o", output)
    assert done.exit == 0
    assert set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.out)) == set()


@pytest.mark.parametrize("word", ["\x1b[2J", "[/x]", "a\u202eb", "caf\udce9", "x\ny", "-", "--", "%s", "🙂"])
@pytest.mark.parametrize(
    "line",
    [
        "pool show {}",
        "exec {} -- true",
        "journal show {}",
        "server show {}",
        "{} x",
        "pool {}",
        "pool list --{}",
        "inventory schema {}",
        "pool list --parallel {}",
    ],
)
def test_words_of_the_line_are_told_safely_without_a_traceback(desk: Desk, line: str, word: str) -> None:
    for output in ("table", "json"):
        done = desk.call("-o", output, *(each.format(word) for each in line.split()))
        assert done.exit in (0, 2), done
        assert set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err)) == set()
        assert "fault of MultiAll" not in done.err + done.out
        if output == "json":
            json.loads(done.out)


def test_a_fault_of_ours_is_told_as_one(desk: Desk) -> None:
    script = (
        "import sys; from multiall_cli.fleet.nouns.pools import Pools; Pools.find = 5; "
        "from multiall_cli.cli.main import run; "
    )
    line = [
        sys.executable,
        "-c",
        script + "sys.exit(run(sys.argv[1:]))",
        "--site",
        str(desk.site),
        "pool",
        "show",
        "web",
    ]
    done = subprocess.run(line, env=desk.env, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "multiall: a fault of MultiAll itself (TypeError: 'int' object is not callable); "
        "run it again with --debug and report what it prints\n"
    )
    done = subprocess.run([*line, "--debug"], env=desk.env, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, "Traceback" in done.stderr) == (1, True)
