"""Ctrl-C once, twice, at the question, and SIGTERM; pipes and streams that are closed. No traceback, ever."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.desk import MULTIALL, Desk, Gate
from tests.limits import HANG

AT_ONCE = 3.0  # seconds: 1 s of patience, and what a busy machine adds


def gated(desk: Desk) -> Gate:
    """Members are done one after the other, each waits in its `after` action until it is let."""
    gate = Gate.make(desk.folder)
    desk.declare(f"after: [{{run: [sh, -c, '{gate.script}']}}]", "rollout: {batch: [1]}")
    return gate


def test_ctrl_c_once_finishes_the_member_in_work_and_begins_no_other(desk: Desk) -> None:
    gate = gated(desk)
    terminal = desk.typed("pool", "sync", "web", "--yes")
    gate.wait()
    terminal.type("\x03")
    terminal.until("stopping: members in work are finished, no other is begun; Ctrl-C again stops at once\n")
    gate.let()
    assert terminal.ended() == 130
    assert "stopped: interrupted; 3 members left as before: the same command goes on\n" in terminal.plain
    assert "web: 3 left, 1 changed; run " in terminal.plain
    assert "Traceback" not in terminal.text
    status = desk.call("pool", "status", "web", "--json").json()
    assert [each["result"] and each["result"]["state"] for each in status["members"]] == ["changed"] + [None] * 3
    assert desk.call("journal", "list", "--json").json()["runs"][0]["result"] == 130
    desk.declare()
    assert desk.call("pool", "sync", "web", "--yes").exit == 0
    assert all((desk.held(name) / "a.txt").exists() for name in desk.lab.names)


def test_ctrl_c_twice_ends_at_once_and_the_next_run_settles(desk: Desk) -> None:
    gate = gated(desk)
    terminal = desk.typed("pool", "sync", "web", "--yes")
    gate.wait()
    terminal.type("\x03")
    terminal.until("Ctrl-C again stops at once\n")
    began = time.monotonic()
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert time.monotonic() - began < AT_ONCE
    assert "multiall: interrupted; what was done is in `multiall journal list`\n" in terminal.text
    assert "Traceback" not in terminal.text
    assert "\x1b[?25h" in terminal.text.rpartition("\x1b[?25l")[2]  # the cursor is there again
    pending = desk.call("journal", "pending", "--json")
    assert (pending.exit, [each["verb"] for each in pending.json()["handlers"]]) == (3, ["run"])
    assert desk.call("pool", "status", "web").exit == 3
    gate.let()
    desk.declare()
    assert desk.call("pool", "sync", "web", "--only", "web[2-4]", "--yes").exit == 0


def test_sigterm_is_a_ctrl_c(desk: Desk) -> None:
    gate = gated(desk)
    process = desk.started("pool", "sync", "web", "--yes", "--json")
    gate.wait()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("stopping: ")
    gate.let()
    out, _ = process.communicate(timeout=HANG)
    assert process.returncode == 130
    assert '"stopped": "interrupted"' in out


def test_ctrl_c_while_looking_changes_nothing(desk: Desk) -> None:
    """A plan of a part of the pool would be no plan: none is shown."""
    desk.lab.freeze("web2")
    try:
        process = desk.started("pool", "plan", "web", "--timeout", "60")
        # It is known to be in work when its three other connections are made: they write to the store's cache.
        looking = desk.folder / "state"
        end = time.monotonic() + 20
        while not list(looking.rglob("*.sqlite*")) and time.monotonic() < end:
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        process.stderr.readline()
    finally:
        desk.lab.thaw("web2")
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err


def test_ctrl_c_in_exec_names_the_servers_that_were_not_begun(desk: Desk) -> None:
    gate = Gate.make(desk.folder)
    process = desk.started("exec", "@web", "--parallel", "1", "--", "sh", "-c", f"{gate.script}; echo hi")
    gate.wait()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.readline()
    gate.let()
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (130, "")
    assert out == "--- web1 (1 server)\nhi\ninterrupted: web[2-4] (3 servers) not begun\n"


def test_ctrl_c_at_the_question_changes_nothing(desk: Desk) -> None:
    terminal = desk.typed("pool", "sync", "web")
    terminal.until(r"Go on\? \[y/N\] ")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "interrupted at the question; nothing was changed; run it again\n" in terminal.text
    assert not desk.held("web1").exists()


UNHEARD = """
import signal, sys, threading
from multiall_cli.cli import context

def signalled(main=threading.get_ident()):
    while sys._current_frames()[main].f_code.co_name not in ("ask", "_until_typed"):
        pass
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))

threading.Thread(target=signalled).start()
try:
    context.ask("Go on?")
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_breaks_no_read_ends_the_question_too(number: int) -> None:
    """One that another thread is given, or that comes after the last look at signals and before the read."""
    silent, ours = os.pipe()
    try:
        line = [sys.executable, "-c", UNHEARD, str(int(number))]
        done = subprocess.run(line, stdin=silent, capture_output=True, text=True, timeout=HANG)
    finally:
        os.close(silent)
        os.close(ours)
    assert (done.returncode, done.stdout) == (
        0,
        "multiall: interrupted at the question; nothing was changed; run it again\n",
    )


def test_a_job_in_the_background_does_not_take_a_ctrl_c_meant_for_others(desk: Desk) -> None:
    """A shell starts `multiall … &` with SIGINT ignored: so it stays."""
    gate = gated(desk)
    process = desk.started("pool", "sync", "web", "--yes", preexec_fn=lambda: signal.signal(2, signal.SIG_IGN))
    gate.wait()
    process.send_signal(signal.SIGINT)
    for turn in range(4):
        gate.let()
        if turn < 3:
            gate.wait()
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (0, "")
    assert "web: 4 changed; run " in out


@pytest.mark.parametrize(
    "line", ["exec web1 -- seq 200000", "exec web1 --stream -- seq 200000", "exec web1 --json -- seq 200000"]
)
def test_a_reader_that_has_enough_is_no_error(desk: Desk, line: str) -> None:
    process = desk.started(*line.split())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(HANG) == 0
    process.stderr.close()


def test_a_closed_pipe_does_not_change_the_code(desk: Desk) -> None:
    for number in range(3000):
        (desk.tree / f"a-file-with-a-long-name-{number}").write_text("")
    process = desk.started("pool", "plan", "web", "-o", "wide", "--only", "web1")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert (process.stderr.read(), process.wait(HANG)) == ("", 10)
    process.stderr.close()


def test_no_room_for_the_result_is_told(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        process = desk.started("pool", "list", stdout=full)
        _, err = process.communicate(timeout=HANG)
    assert process.returncode == 1
    assert err == (
        "stdout: the result could not be written (No space left on device); "
        "make room; what was done is in `multiall journal list`\n"
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start(desk: Desk, closed: str) -> None:
    line = ["sh", "-c", f'exec "$@" {closed}', "sh", *MULTIALL, "--site", str(desk.site), "pool", "list"]
    done = subprocess.run(line, env=desk.env, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_encoding_that_lacks_our_characters(desk: Desk) -> None:
    process = desk.started("pool", "plan", "web", env={"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (10, "")
    assert "plan " in out
