"""The one door for text from outside: nothing that it lets through moves a cursor, turns a line or reads as markup."""

import io
import json
import unicodedata

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from multiall_cli.cli.render.document import table
from multiall_cli.cli.render.json_form import as_json, as_yaml, document
from multiall_cli.cli.render.rich_output import Screen, put
from multiall_cli.cli.render.text import count, safe_lines, safe_text, size

NASTY = (
    "\x1b[31mred\x1b]0;t\x07 \x9b2J \u202egpj.exe \u2066x\u2069 \udcff\udc9b [red]x[/x] \r\n\t\0\x7f\u2028\U000e0041"
)
texts = st.text(st.characters(exclude_categories=())) | st.binary().map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


def controls(text: str) -> set[str]:
    """Characters that a terminal obeys, or that change what a reader sees."""
    bidi = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in bidi}


@given(texts)
@example(NASTY)
def test_no_control_character_survives(text: str) -> None:
    assert controls(safe_text(text)) == set()
    assert controls(safe_lines(text)) <= {"\n", "\t"}
    safe_text(text).encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert safe_text(text) == text


@given(texts)
@example(NASTY)
def test_a_table_shows_no_control_character_and_no_trailing_blank(text: str) -> None:
    to = io.StringIO()
    screen = Screen(file=to, width=80, markup=False, highlight=False, emoji=False)
    put(screen, table(("name", "what"), [(text, text), ("", "")]))
    assert controls(to.getvalue()) <= {"\n"}
    assert all(line == line.rstrip(" ") and cell_len(line) <= 80 for line in to.getvalue().split("\n"))


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100])
def test_a_table_of_short_cells_loses_none_of_them_on_a_narrow_terminal(width: int) -> None:
    row = ("20261126T122618-bda95a", "2.0.192.in-addr.arpa", "dns sync", "root@vm", "2026-11-26 12:26:18", "0 ok")
    to = io.StringIO()
    put(Screen(file=to, width=width), table(("run", "zone", "verb", "by", "began", "ended"), [row]))
    shown = sorted("".join(to.getvalue().split()))
    wanted = sorted("".join((*row, "RUN", "ZONE", "VERB", "BY", "BEGAN", "ENDED")).replace(" ", ""))
    assert shown == wanted
    assert all(cell_len(line) <= width for line in to.getvalue().splitlines())


@given(texts)
@example(NASTY)
@example("\u202e")
@example("\x85\u2029\ufeff\x9b")
def test_json_and_yaml_show_a_terminal_nothing_either_and_lose_nothing(text: str) -> None:
    told = document("test", {"text": text})
    for indent in (None, 2):
        written = as_json(told, indent)
        assert controls(written) <= {"\n"}
        assert json.loads(written) == told
    written = as_yaml(told)
    assert controls(written) <= {"\n"}
    assert yaml.safe_load(written) == told


@given(texts)
def test_schema_and_version_cannot_be_overwritten(text: str) -> None:
    assert document("test", {"schema": text, "version": text}) == {"schema": "multiall/test", "version": 1}


def test_markup_is_text() -> None:
    to = io.StringIO()
    screen = Screen(file=to, width=80, markup=False, highlight=False, emoji=False)
    put(screen, table(("what",), [("[red]x[/x] :smile:",)]))
    assert to.getvalue() == "WHAT\n[red]x[/x] :smile:\n"


def test_bytes_that_are_no_utf8_are_shown_as_bytes() -> None:
    assert safe_text(b"caf\xe9".decode("utf-8", "surrogateescape")) == r"caf\xe9"


def test_numbers_and_their_words() -> None:
    assert [count(1, "member"), count(2, "member"), count(0, "entry", "entries")] == [
        "1 member",
        "2 members",
        "0 entries",
    ]
    assert [size(0), size(999), size(1200), size(25_300_000_000), size(4e15)] == [
        "0 B", "999 B", "1.2 kB", "25.3 GB", "4000.0 TB",
    ]  # fmt: skip
