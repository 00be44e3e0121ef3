"""What members say is no command of a CI runner, in any form and however it is cut into pieces."""

import io
import json
import re
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.cli.render.ci import github, junit
from multiall_cli.cli.render.json_form import as_json, as_yaml
from multiall_cli.cli.render.result import Case
from multiall_cli.cli.render.runners import Unobeyed, broken, is_runner, write_commands

COMMANDS = (
    "::error::x", "  ::set-output name=a::b", "##vso[task.setvariable variable=a]b", "a ##[error]b",
    "##teamcity[x]", "::stop-commands::x", "\t::add-mask::y",
)  # fmt: skip
OBEYED = re.compile(r"^\s*::[a-zA-Z-]+|\r\s*::[a-zA-Z-]+|##[a-zA-Z]*\[")
"""As the runners look for them: at the begin of a line, and anywhere."""
_pieces = st.lists(
    st.sampled_from(
        [*COMMANDS, ":", "::", "#", "##", "[", "error::x", "vso[", "##vso", "\n", "\r", " ", 300 * " ", "x"]
    ),
    max_size=12,
)


def obeyed(text: str) -> list[str]:
    return [line for line in text.split("\n") if OBEYED.search(line)]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_form_of_a_command_is_broken_visibly(command: str) -> None:
    assert obeyed(command)
    assert obeyed(broken(command)) == []
    assert broken(command).replace("\\", "") == command


@example(["##vso", "[task.x]y"])
@example([300 * " ", "::error::x"])
@example(["x\r::error::x"])
@example([300 * " ", "::", "error::x"])
@example(["::error::x", "\r", 300 * " ", "::error::x"])
@given(_pieces)
def test_no_way_to_cut_it_into_pieces_makes_a_command(pieces: list[str]) -> None:
    stream = io.StringIO()
    guarded = Unobeyed(stream)
    for each in pieces:
        guarded.write(each)
    assert obeyed(stream.getvalue()) == []
    assert stream.getvalue().replace("\\", "") == "".join(pieces)


@given(_pieces.map("".join))
def test_forms_that_programs_read_say_the_same_and_hold_no_command(text: str) -> None:
    told = {"stdout": text}
    for form, read in ((as_json, json.loads), (as_yaml, yaml.safe_load)):
        assert obeyed(form(told)) == []
        assert read(form(told)) == told
    suite = junit("exec", [Case(text, text, text)])
    assert obeyed(suite) == []
    assert ElementTree.fromstring(suite)[0].get("name") == text.replace("\n", "\\n").replace("\t", "\\t").replace(
        "\r", "\\r"
    )


def test_our_own_annotations_are_obeyed() -> None:
    stream = io.StringIO()
    write_commands(Unobeyed(stream), github([Case("web1", "exec", "##vso[x]")]))
    assert stream.getvalue() == "::error title=web1::exec: #\\#vso[x]\n"


def test_which_runners_are_known() -> None:
    assert [is_runner(each) for each in ({}, {"GITHUB_ACTIONS": "true"}, {"TF_BUILD": "True"}, {"TF_BUILD": ""})] == [
        False, True, True, False,
    ]  # fmt: skip
