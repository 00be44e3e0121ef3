"""What is seen: 80 columns, colours and their owners, the question, progress off a terminal, and silence for cron."""

import re
import signal

import pytest

from multiall_cli.cli.progress import ProgressLine
from multiall_cli.domain.run import Progress
from tests.fixtures.desk import Desk, Gate
from tests.limits import HANG

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")
ANY = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def wide_site(desk: Desk) -> None:
    """Names and paths as long as people make them."""
    text = (desk.site / "inventory" / "lab.yaml").read_text()
    text = re.sub(
        r"    ssh:", "    labels: {site: frankfurt-am-main, rack: row-17-rack-42, owner: platform-team}\n    ssh:", text
    )
    text = text.replace(
        "pools:\n", "  a-server-with-quite-a-long-name-in-some-region: {address: db.internal.example.net}\npools:\n"
    )
    (desk.site / "inventory" / "lab.yaml").write_text(text)
    long = desk.tree / "an/application/with/rather/deep/folders/and-a-long-name-for-the-release-2026-11-22"
    long.mkdir(parents=True)
    (long / ("x" * 150)).write_text("x")


@pytest.mark.parametrize(
    "line",
    ["pool list", "server list", "server show web1", "server explain web1", "server facts @web", "inventory show",
     "pool status web", "journal list", "journal pending", "doctor web[1-4]", "doctor web[1-4] -o wide",
     "pool sync web --yes"],
)  # fmt: skip
def test_tables_fit_80_columns_and_have_no_trailing_blanks(desk: Desk, line: str) -> None:
    wide_site(desk)
    desk.lab.kill("web4")
    if "sync" not in line:
        desk.call("pool", "sync", "web", "--yes")
    shown = desk.typed(*line.split())
    assert shown.ended() in (0, 3)
    lines = ANY.sub("", shown.text).rpartition("\r")[2].split("\n")
    assert [each for each in lines if len(each) > 80 and not re.search(r"^web4: .*; ", each)] == []
    assert [each for each in lines if each != each.rstrip()] == []


@pytest.mark.parametrize(
    ("env", "colours", "escapes"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)],
    ids=str,
)
def test_colours_on_a_terminal(desk: Desk, env: dict[str, str], colours: bool, escapes: bool) -> None:
    shown = desk.typed("pool", "plan", "web", env=env)
    assert shown.ended() == 10
    assert bool(COLOUR.search(shown.text)) == colours
    assert bool(ANY.search(shown.text)) == escapes
    assert "+ create a.txt  file 0644" in ANY.sub("", shown.text)


@pytest.mark.parametrize(
    ("env", "colours"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=str,
)
def test_colours_in_a_pipe(desk: Desk, env: dict[str, str], colours: bool) -> None:
    out, err = desk.started("pool", "plan", "web", env=env).communicate(timeout=HANG)
    assert bool(COLOUR.search(out)) == colours
    assert err == ""
    assert out.splitlines()[-1].count("plan ") == 1


def test_json_has_no_colour_however_much_is_forced(desk: Desk) -> None:
    out, _ = desk.started("pool", "plan", "web", "--json", env={"FORCE_COLOR": "1"}).communicate(timeout=HANG)
    assert "\x1b" not in out


# --- the question -----------------------------------------------------------------------------------------------


def test_the_question_has_the_numbers_and_no_means_no(desk: Desk) -> None:
    desk.held("web1").mkdir()
    for name in ("a.txt", "b.txt", "stray"):
        (desk.held("web1") / name).write_text("stray")
    desk.lab.kill("web4")
    shown = desk.typed("pool", "sync", "web", "--force-guard", "changes")
    shown.until(r"sync: 9 changes on 3 of 4 members of web; 1 deletion; 1 not reached\. Go on\? \[y/N\] ")
    assert "- delete stray" in shown.plain
    shown.type("n\n")
    assert shown.ended() == 4
    assert "stopped: not confirmed; nothing was changed" in shown.plain
    assert (desk.held("web1") / "stray").exists()


def test_the_question_counts_among_the_whole_pool_and_yes_means_yes(desk: Desk) -> None:
    shown = desk.typed("pool", "sync", "web", "--only", "web2")
    shown.until(r"sync: 3 changes on 1 of 4 members of web\. Go on\? \[y/N\] ")
    shown.type("y\n")
    assert shown.ended() == 0
    assert (desk.held("web2") / "a.txt").exists()
    assert not desk.held("web1").exists()


@pytest.mark.parametrize("line", ["pool sync web", "cp {tree} @web:~/x", "pool sync web --json"])
def test_off_a_terminal_it_refuses_before_it_connects(desk: Desk, line: str) -> None:
    """All servers hang: whoever connected would wait."""
    for name in desk.lab.names:
        desk.lab.freeze(name)
    try:
        done = desk.call(*line.format(tree=desk.tree).split())
    finally:
        for name in desk.lab.names:
            desk.lab.thaw(name)
    assert done.exit == 2
    assert "it would ask and there is no terminal" in done.err + done.out
    assert "add --yes" in done.err + done.out
    assert not (desk.folder / "state").exists()


# --- stdout is the result, stderr is words ----------------------------------------------------------------------


def test_progress_goes_to_stderr_and_only_there(desk: Desk) -> None:
    shown = desk.typed("pool", "sync", "web", "--yes")
    assert shown.ended() == 0
    assert "sync of web" in shown.plain
    quiet = desk.typed("pool", "diff", "web", "--quiet")
    assert (quiet.ended(), quiet.text) == (0, "")
    done = desk.call("pool", "diff", "web")
    assert (done.out, done.err) == ("web: all members as declared\n", "")


def test_off_a_terminal_a_line_now_and_then_also_while_nothing_moves(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    with ProgressLine("sync of web", quiet=False, every=0.01) as progress:
        progress(Progress("source read", "web1"))
        progress(Progress("applied", "web1", 30))
        while len(told) < 3:
            told += capsys.readouterr().err.splitlines()
    one = "sync of web: 1 source read"
    assert set(told) <= {"sync of web: begun", one, f"{one}, 30 changes made"}
    assert capsys.readouterr().out == ""


def test_quiet_progress_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("sync of web", quiet=True, every=0.0) as progress:
        progress(Progress("looked", "web1"))
    assert capsys.readouterr() == ("", "")


# --- cron -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["pool sync web --yes", "pool plan web", "pool status web", "pool diff web", "doctor web[1-4]", "journal pending",
     "inventory check", "exec @web -- true", "server trust web1"],
)  # fmt: skip
def test_cron_hears_nothing_where_all_is_well(desk: Desk, line: str) -> None:
    assert desk.call("pool", "sync", "web", "--yes").exit == 0
    done = desk.call("--quiet", *line.split())
    assert (done.exit, done.out, done.err) == (0, "", "")


def test_cron_hears_of_trouble_first_and_in_50_lines(desk: Desk) -> None:
    for number in range(100):
        (desk.tree / f"{number:03}").write_text("x")
    desk.lab.kill("web3")
    done = desk.call("pool", "plan", "web", "--quiet")
    assert (done.exit, done.err) == (10, "")
    assert done.out.startswith("web3  deferred: nothing listens on ")
    out = desk.call("exec", "@web", "--quiet", "--", "seq", "100").out.splitlines()
    assert out[0].startswith("--- web3 (1 server): not run: nothing listens on ")
    assert len(out) == 50
    assert out[-2] == "[... 53 more lines: run it without --quiet ...]"
    done = desk.call("pool", "sync", "web", "--yes", "--quiet")
    assert [line.split()[:2] for line in done.out.splitlines()[1:3]] == [
        ["web3", "deferred"],
        ["web[1-2,4]", "changed"],
    ]


def test_a_gate_that_stays_closed_is_a_line_per_ten_seconds_not_more(desk: Desk) -> None:
    """Off a terminal nothing is said about a run that is over quickly."""
    gate = Gate.make(desk.folder)
    process = desk.started("exec", "web1", "--", "sh", "-c", gate.script)
    gate.wait()
    gate.let()
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out, err) == (0, "--- web1 (1 server)\n", "")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
