"""exec and cp: words as they were typed, output told once or as it comes, and files in both directions."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.desk import Desk
from tests.limits import HANG

AWAY = re.compile(r"not run: nothing listens on 127\.\S+ port \d+; start its sshd, or set `ssh.port`")


@pytest.mark.parametrize("dashes", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ["a b", "'", '"', "$HOME", "`id`", "*", ";", "\\", "-l", "--json", "-o", "", "ä", "--"],
        ["-n", "--site", "x", "--diff", "--help"],
    ],
    ids=["quoting", "our options"],
)
def test_the_words_of_the_command_arrive_as_they_are(desk: Desk, words: list[str], dashes: bool) -> None:
    done = desk.call("exec", "web1", *(["--"] if dashes else []), "printf", r"%s\n", *words)
    assert (done.exit, done.err) == (0, "")
    assert done.out == "--- web1 (1 server)\n" + "".join(f"{word}\n" for word in words)


def test_bytes_that_are_no_text_arrive_too(desk: Desk) -> None:
    done = desk.call("exec", "web1", "--", "printf", "%s", "caf\udce9")
    assert done.out == "--- web1 (1 server)\ncaf\\xe9\n"


def test_our_options_stand_before_the_command(desk: Desk) -> None:
    for line in (
        ["--json", "exec", "web1", "true"],
        ["exec", "--json", "web1", "--", "true"],
        ["exec", "web1", "--json", "true"],
    ):
        assert desk.call(*line).json()["servers"][0]["exit_code"] == 0
    done = desk.call("exec", "web1", "--strem", "--", "true")
    assert done.err == (
        "multiall exec: there is no option --strem; did you mean --stream? see `multiall exec --help`\n"
    )


def test_the_exit_code_of_the_command_is_told_and_is_not_ours(desk: Desk) -> None:
    done = desk.call("exec", "web1", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.exit, done.out) == (3, "--- web1 (1 server): exit 7\nout\nerr\n")
    told = desk.call("exec", "web1", "--json", "--", "sh", "-c", "exit 7").json()["servers"][0]
    assert (told["exit_code"], told["trouble"]) == (7, "")


def test_equal_output_is_told_once_and_failures_last(desk: Desk) -> None:
    desk.lab.kill("web3")
    (desk.lab.home("web2") / "odd").write_text("x")
    done = desk.call("exec", "@web", "--", "sh", "-c", "test ! -e odd && echo even")
    (desk.lab.home("web2") / "odd").unlink()
    first, second, third, fourth = done.out.splitlines()
    assert (first, second, third) == ("--- web[1,4] (2 servers)", "even", "--- web2 (1 server): exit 1")
    assert fourth.startswith("--- web3 (1 server): not run: ")
    assert AWAY.search(fourth)
    assert done.exit == 3


def test_diff_shows_only_what_differs(desk: Desk) -> None:
    desk.lab.kill("web4")
    (desk.lab.home("web2") / "odd").write_text("x")
    done = desk.call(
        "exec", "@web", "--diff", "--", "sh", "-c", "echo a; cat odd 2>/dev/null && echo; echo z; echo e >&2"
    )
    (desk.lab.home("web2") / "odd").unlink()
    head, away = done.out.rsplit("\n", 2)[0], done.out.splitlines()[-1]
    assert head == "--- web[1,3] (2 servers)\na\nz\ne\n--- web2 (1 server) differs\n@@ -1,2 +1,3 @@\n a\n+x\n z"
    assert AWAY.search(away)


def test_a_stream_is_interleaved_line_by_line(desk: Desk) -> None:
    """Each of two servers shows its first line before the other one ends: neither waits for the other."""
    for name in ("web1", "web2"):
        os.mkfifo(desk.folder / name)
    wait = f'read x < {desk.folder}/$(basename "$HOME")'
    script = f"printf hal; printf 'f\\n'; {wait}; echo end"
    process = desk.started("exec", "web[1-2]", "--stream", "--", "sh", "-c", script)
    assert process.stdout is not None
    first = {process.stdout.readline(), process.stdout.readline()}
    for name in ("web1", "web2"):
        (desk.folder / name).write_text("x\n")
    rest, err = process.communicate(timeout=HANG)
    assert first == {"web1: half\n", "web2: half\n"}
    assert (sorted(rest.splitlines()), err, process.returncode) == (["web1: end", "web2: end"], "", 0)


def test_a_stream_keeps_the_streams_apart_and_tells_failures_at_the_end(desk: Desk) -> None:
    desk.lab.kill("web2")
    done = desk.call("exec", "web[1-2]", "--stream", "--", "sh", "-c", "printf unended; echo err >&2; exit 4")
    assert done.err == "web1: err\n"
    head, failed, away = done.out.splitlines()
    assert (head, failed) == ("web1: unended", "--- web1 (1 server): exit 4")
    assert AWAY.search(away)
    assert done.exit == 3


@pytest.mark.parametrize(("options", "other"), [("--json", "-o json"), ("--diff", "--diff")])
def test_a_stream_fits_no_format_that_comes_at_the_end(desk: Desk, options: str, other: str) -> None:
    done = desk.call("exec", "web1", "--stream", options, "--", "true")
    assert done.exit == 2
    assert f"exec: --stream shows lines as they come, {other} all at the end; drop one of the two" in (
        done.err or "{subject}: {what}; {todo}".format(**done.json()["error"])
    )


def test_targets_from_standard_input_and_input_for_the_command(desk: Desk) -> None:
    process = desk.started("exec", "-", "--", "echo", "hi", stdin=subprocess.PIPE)
    out, _ = process.communicate("web1\nweb[3-4]\n", timeout=HANG)
    assert out == "--- web[1,3-4] (3 servers)\nhi\n"
    process = desk.started("exec", "web[1-2]", "--stdin", "--", "cat", stdin=subprocess.PIPE)
    out, _ = process.communicate("one\ttwo\n", timeout=HANG)
    assert out == "--- web[1-2] (2 servers)\none\ttwo\n"
    process = desk.started("exec", "-", "--stdin", "--", "cat", stdin=subprocess.PIPE)
    _, err = process.communicate("", timeout=HANG)
    assert err == "exec: - and --stdin both want standard input; name the target, or drop --stdin\n"


NASTY = r"\033[31mred\033]0;title\007 \302\2332J [red]x[/red] [/x] \342\200\256gpj.exe \377\r\n"


@pytest.mark.parametrize("options", [[], ["--diff"], ["--stream"], ["-o", "wide"], ["-q"], ["--json"], ["-o", "yaml"],
                                     ["-o", "ndjson"], ["-o", "junit"], ["-o", "github"]], ids=str)  # fmt: skip
def test_output_of_members_cannot_steer_the_terminal(desk: Desk, options: list[str]) -> None:
    shown = desk.typed("exec", *options, "web1", "--", "sh", "-c", f"printf '{NASTY}'; exit 1", env={"TERM": "dumb"})
    assert shown.ended() == 3
    assert set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown.text)) == set()
    if not options:
        assert r"\x1b[31mred\x1b]0;title\x07 \x9b2J [red]x[/red] [/x] \u202egpj.exe \xff\r" in shown.text


@pytest.mark.parametrize(
    "options", [[], ["--diff"], ["--stream"], ["-q"], ["--json"], ["-o", "yaml"], ["-o", "github"]], ids=str
)
def test_output_of_members_is_no_command_of_a_runner(desk: Desk, options: list[str]) -> None:
    script = "for to in 1 2; do printf '::error::a\\n ##vso[task.x]b\\n  ::warning::c\\n' >&$to; done; exit 1"
    process = desk.started("exec", *options, "web1", "--", "sh", "-c", script, env={"GITHUB_ACTIONS": "true"})
    lines = "".join(process.communicate(timeout=HANG)).splitlines()
    assert process.returncode == 3
    own = [line for line in lines if line.startswith("::error title=")]
    assert len(own) == (options == ["-o", "github"])
    assert [line for line in lines if re.search(r"^\s*::[a-z]|##vso\[", line) and line not in own] == []


def test_100_mb_of_one_member_cost_the_admin_little(desk: Desk) -> None:
    """The head and the tail are kept, the rest is counted."""
    script = desk.folder / "measure.py"
    script.write_text(
        "import sys\n"
        "from multiall_cli.cli.main import run\n"
        "from tests.laws.measure import peak_mb\n"
        "code = run(sys.argv[1:])\n"
        "print(int(peak_mb()), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    line = [sys.executable, str(script), "--site", str(desk.site), "exec", "web1", "--", "sh", "-c"]
    done = subprocess.run(
        [*line, "head -c 100000000 /dev/zero | tr '\\0' x"], env=desk.env, capture_output=True, text=True, timeout=HANG
    )
    assert done.returncode == 0
    assert int(done.stderr) < 150  # MB
    assert 2_000_000 < len(done.stdout) < 2_200_000
    assert re.search(r"\[\.\.\. \d+ (B|bytes|more bytes).*\]", done.stdout.replace("x", ""))


# --- cp ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(desk: Desk) -> str:
    """A folder that only this test has, on every member; the desk removes it."""
    return desk.there


def test_a_file_to_a_new_name(desk: Desk, there: str) -> None:
    done = desk.call("cp", str(desk.tree / "a.txt"), f"web[1-2]:~/{there}/new name.txt", "-y")
    assert (done.exit, done.err) == (0, "")
    assert (desk.held("web2") / "new name.txt").read_text() == "a.txt of release 1\n"
    assert os.listdir(desk.held("web2")) == ["new name.txt"]


def test_into_a_folder(desk: Desk, there: str) -> None:
    desk.call("cp", str(desk.tree / "a.txt"), f"web1:~/{there}/", "-y")
    desk.call("cp", str(desk.tree), f"web1:~/{there}/", "-y")
    found = sorted(str(each.relative_to(desk.held("web1"))) for each in desk.held("web1").rglob("*"))
    assert found == ["a.txt", "www", "www/a.txt", "www/b.txt"]


def test_a_folder_to_a_new_name_deletes_nothing_there(desk: Desk, there: str) -> None:
    desk.held("web1").mkdir()
    (desk.held("web1") / "mine").write_text("x")
    done = desk.call("cp", str(desk.tree), f"web1:~/{there}", "-y", "--json")
    assert (done.exit, done.json()["members"][0]["state"]) == (0, "changed")
    assert sorted(os.listdir(desk.held("web1"))) == ["a.txt", "b.txt", "mine"]


def test_from_servers_each_into_a_folder_of_its_name(desk: Desk, there: str) -> None:
    desk.call("cp", str(desk.tree), f"@web:~/{there}", "-y")
    desk.lab.kill("web3")
    to = desk.folder / "fetched"
    done = desk.call("cp", f"@web:~/{there}", str(to))
    assert (done.exit, done.err) == (3, "")
    rows = [line.split()[:2] for line in done.out.splitlines()]
    assert rows[1:3] == [["web3", "failed"], ["web[1-2,4]", "changed"]]
    assert sorted(os.listdir(to)) == ["web1", "web2", "web4"]
    assert (to / "web1" / there / "a.txt").read_text() == "a.txt of release 1\n"
    assert desk.call("cp", f"web1:~/{there}/a.txt", str(desk.folder / "one")).exit == 0
    assert os.listdir(desk.folder / "one" / "web1") == ["a.txt"]
    assert desk.call("cp", f"web1:~/{there}/", str(desk.folder / "content")).exit == 0
    assert sorted(os.listdir(desk.folder / "content" / "web1")) == ["a.txt", "b.txt"]
    again = desk.call("cp", f"web[1-2]:~/{there}", str(to), "--quiet")
    assert (again.exit, again.out) == (0, "")


def test_cp_asks_with_numbers(desk: Desk, there: str) -> None:
    shown = desk.typed("cp", str(desk.tree), f"web[1-3]:~/{there}")
    shown.until(r"cp: 9 changes on 3 of 3 servers\. Go on\? \[y/N\] ")
    shown.type("\n")
    assert shown.ended() == 4
    assert not desk.held("web1").exists()


@pytest.mark.parametrize(
    ("source", "destination", "words"),
    [
        ("/nowhere", "web1:~/x", "cp: /nowhere does not exist here; look at the path"),
        ("a", "b", "cp: one side has to be TARGET:PATH and the other a path here; see `multiall cp --help`"),
        (
            "web1:/a",
            "web2:/b",
            "cp: one side has to be TARGET:PATH and the other a path here; see `multiall cp --help`",
        ),
        ("", "web1:/b", "cp: a path is empty; see `multiall cp --help`"),
        ("/etc/hosts", "web1:x", "cp: 'x' is not a path on a server; give an absolute one, or one that begins with ~/"),
        (
            "/etc/hosts",
            "wbe1:/x",
            "target: 'wbe1' matches no server; did you mean web1? `multiall server list` shows all",
        ),
    ],
)
def test_cp_that_makes_no_sense(desk: Desk, source: str, destination: str, words: str) -> None:
    done = desk.call("cp", source, destination, "-y")
    assert (done.exit, done.out, done.err) == (2, "", words + "\n")


def test_json_of_exec_is_what_the_table_says(desk: Desk) -> None:
    told = desk.call("exec", "web[1-2]", "-o", "ndjson", "--", "echo", "hi").out.splitlines()
    assert [json.loads(line)["server"] for line in told] == ["web1", "web2"]
    assert desk.call("exec", "web[1-2]", "-o", "name", "--", "true").out == "web1\nweb2\n"
    assert Path(desk.folder).exists()


def test_a_command_that_was_let_go_is_not_said_to_be_not_run(desk: Desk) -> None:
    """It runs on there: whoever believes it did not run runs it twice."""
    done = desk.call("exec", "--timeout", "0.3", "web1", "--", "sh", "-c", "echo $$; exec sleep 600")
    assert done.exit == 3
    assert (
        "no result: `sh` printed nothing for 0.3 s and was abandoned; it may still run there; raise the limit"
        in done.out
    )


def test_output_before_a_silence_is_shown(desk: Desk) -> None:
    """What a command said before it hung is what tells why."""
    line = ("exec", "--timeout", "0.3", "web1", "--", "sh", "-c", "echo half; echo why >&2; exec sleep 600")
    assert "\nhalf\nwhy\n" in desk.call(*line).out
    (told,) = desk.call("-o", "json", *line).json()["servers"]
    assert (told["exit_code"], told["stdout"], told["stderr"]) == (None, "half\n", "why\n")


def test_off_a_terminal_no_password_is_asked_for(desk: Desk) -> None:
    done = desk.call("exec", "--ask-become-pass", "web1", "--", "true")
    assert done.exit == 2
    assert "--ask-become-pass: there is no terminal to ask on; declare it" in done.err
