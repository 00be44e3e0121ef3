"""The line before its grammar: where a command begins, and which format a refused line asks for."""

from pathlib import Path

import pytest

from multiall_cli.cli.exec import guarded
from multiall_cli.cli.main import run
from multiall_cli.cli.options import Format, output_said
from multiall_cli.domain.exits import Exit
from tests.fixtures.desk import called

TAKES = frozenset({"--site", "-o", "--timeout"})


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("web1 uptime", "web1 -- uptime"),
        ("web1 ls -l /", "web1 -- ls -l /"),
        ("web1 ls --json", "web1 -- ls --json"),
        ("--json web1 ls -o x", "--json web1 -- ls -o x"),
        ("web1 -o json ls -l", "web1 -o json -- ls -l"),
        ("--site=x web1 --diff ls", "--site=x web1 --diff -- ls"),
        ("web1 -- ls -- x", "web1 -- ls -- x"),
        ("web1 --diff -- ls", "web1 --diff -- ls"),
        ("-- web1 ls -l", "-- web1 ls -l"),
        ("- cat", "- -- cat"),
        ("web1", "web1"),
        ("--strem", "--strem"),
        ("", ""),
    ],
)
def test_a_command_begins_at_the_second_word(line: str, whole: str) -> None:
    assert guarded(line.split(), TAKES) == whole.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pool list --foo", None),
        ("pool list --json --foo", Format.JSON),
        ("pool list -o yaml --foo", Format.YAML),
        ("pool list -oyaml --foo", Format.YAML),
        ("pool list --output ndjson --foo", Format.NDJSON),
        ("pool list --output=junit --foo", Format.JUNIT),
        ("exec --foo web1 -- ls --json", None),
        ("pool list -o jsn", None),
        ("pool show json", None),
        ("", None),
    ],
)
def test_the_format_of_a_line_that_is_refused(line: str, found: Format | None) -> None:
    assert output_said(line.split()) == found


@pytest.mark.parametrize(
    "line",
    [
        "--timeout nan pool list",
        "pool list --timeout -nan",
        "pool sync web --lock-wait nan",
        "pool sync web --lock-wait -1",
        f"journal list --limit {'9' * 30}",
        f"journal list --limit {'9' * 5000}",
    ],
)
def test_a_number_that_is_none_or_too_large_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == Exit.USAGE
    assert "a fault of MultiAll" not in capsys.readouterr().err


def test_names_on_standard_input_may_be_any_bytes(tmp_path: Path) -> None:
    """They are names that no server has."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "site.yaml").write_text("servers: {web1: }")
    done = called(["--site", str(tmp_path), "exec", "-", "true"], b"web1\n\xff\n")
    assert (done.exit, done.out) == (Exit.USAGE, "")
    assert "matches no server" in done.err
