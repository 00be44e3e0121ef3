"""Every form that programs read, read by such a program: whatever a site's files and its members say."""

import json
import re
from functools import cache
from importlib.resources import files
from math import isfinite
from xml.etree import ElementTree

import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families
from rfc3986_validator import validate_rfc3986

from multiall_cli.cli.render.ci import junit
from multiall_cli.cli.render.health_exports import markdown, nagios, prometheus, sarif, tap
from multiall_cli.cli.render.json_form import as_json, as_yaml, document
from multiall_cli.cli.render.result import Case
from multiall_cli.cli.render.text import safe_text
from multiall_cli.domain.baseline import Code, ServerHealth, Status
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.health import Health

NASTY = (
    " ",
    "a b",
    "100%",
    "<&>\"'",
    "\n",
    "\t|",
    "=",
    "#",
    "\\",
    "\u202e",
    "\udcff",
    "\x1b[1m",
    "é ü",
    ":",
    "//",
    "{}",
    "",
)
texts = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=12)
paths = (
    st.sampled_from(["rules/my pack.yaml", "/srv/a b/100%.yaml", "c:/x.yaml", "a\udcff/é.yaml", "//x", "?#"]) | texts
)
numbers = st.none() | st.floats() | st.floats(0, 1e6)
statuses = st.builds(
    Status, texts, texts, st.sampled_from(Code), st.just(0.0), texts, texts, texts, texts, st.none(), numbers,
    st.tuples(numbers, numbers), st.booleans(), st.builds(Origin, paths, st.integers(0, 9), st.integers(0, 9)),
)  # fmt: skip
checked = st.builds(
    ServerHealth, texts, st.sampled_from(Code), st.floats(0, 2e9), st.lists(statuses, max_size=3), st.just("") | texts
)
healths = st.builds(Health, st.lists(checked, max_size=3).map(tuple), left=st.lists(texts, max_size=2).map(tuple))


def one(file: str = "rules/my pack.yaml", value: float | None = 0.9) -> Health:
    status = Status("web1", "disk", Code.CRIT_LIMIT, 0.0, "used 90 %", "", "", "", None, value, (0.8, 0.9))
    found = Status(*[getattr(status, each) for each in status.__slots__[:12]], origin=Origin(file, 3, 1))
    return Health((ServerHealth("web1", Code.CRIT_LIMIT, 1.0, (found,)),))


@cache
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads((files("tests.fixtures") / "sarif-schema-2.1.0.json").read_text("utf-8")))


def _strictly(text: str) -> object:
    def refuse(word: str) -> object:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


@given(healths)
@example(one())
@example(one("/srv/100% a/x.yaml"))
def test_sarif_is_what_its_schema_says(health: Health) -> None:
    told = _strictly(sarif(health))
    assert list(validator().iter_errors(told)) == []
    assert isinstance(told, dict)
    sarif(health).encode("utf-8")
    for each in told["runs"][0]["results"]:
        for place in each["locations"]:
            if "physicalLocation" in place:
                uri = place["physicalLocation"]["artifactLocation"]["uri"]
                assert uri == "" or validate_rfc3986(uri, rule="URI_reference"), uri


def test_where_a_problem_is_found_from() -> None:
    told = json.loads(sarif(one()))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert told == {"artifactLocation": {"uri": "rules/my%20pack.yaml"}, "region": {"startLine": 3, "startColumn": 1}}


@given(healths)
@example(one(value=float("nan")))
@example(one(value=float("-inf")))
def test_metrics_are_what_prometheus_reads(health: Health) -> None:
    read = list(text_string_to_metric_families(prometheus(health)))
    assert all(family.type == "gauge" and family.documentation for family in read)
    ranks = [each for family in read for each in family.samples if each.name == "multiall_baseline_rank"]
    assert len(ranks) == len({each.server for each in health.servers}) or not ranks


@given(healths)
@example(one(value=float("nan")))
@example(one(value=1e300))
def test_perfdata_is_finite_numbers(health: Health) -> None:
    text = nagios(health).splitlines()[0].partition(" | ")[2]
    read = re.findall(r"'([^']*)'=(-?[0-9.]+);(-?[0-9.]*:?);(-?[0-9.]*:?)(?: |$)", text)
    assert re.sub(r"'[^']*'=-?[0-9.]+;-?[0-9.]*:?;-?[0-9.]*:?(?: |$)", "", text) == ""
    told = [each for server in health.servers for each in server.statuses if each.value is not None]
    assert health.is_idle or len(read) == sum(isfinite(each.value or 0.0) for each in told)


POINT = re.compile(r"(?:not )?ok (\d+) - (?:[^#\\]|\\.)*(?: # SKIP .*)?")


@given(healths)
def test_tap_is_points_and_yaml(health: Health) -> None:
    lines = tap(health).split("\n")
    assert lines[0] == "TAP version 13"
    most = int(lines[1].removeprefix("1.."))
    points = [line for line in lines[2:] if not line.startswith("  ") and line]
    assert [int(POINT.fullmatch(line)[1]) for line in points] == list(range(1, most + 1))  # type: ignore[index]
    for block in re.findall(r"^  ---\n(.*?)^  \.\.\.$", tap(health), re.MULTILINE | re.DOTALL):
        assert set(yaml.safe_load(block)) == {"code", "shows"}


SUITE, CASE, FAILURE = {"name", "tests", "failures"}, {"classname", "name"}, {"message"}
"""Attributes, as the schemas of Jenkins and of Ant have them in common."""


@given(st.lists(st.builds(Case, texts, texts, texts), max_size=4))
def test_junit_is_what_its_schema_says(cases: list[Case]) -> None:
    suite = ElementTree.fromstring(junit("baseline.check", cases))
    assert (suite.tag, set(suite.attrib)) == ("testsuite", SUITE)
    for case in suite:
        assert (case.tag, set(case.attrib)) == ("testcase", CASE)
        assert [(each.tag, set(each.attrib)) for each in case] in ([], [("failure", FAILURE)])


@given(healths)
def test_json_and_yaml_are_strict_and_say_the_same(health: Health) -> None:
    told = document("baseline.check", health)
    assert _strictly(as_json(told)) == yaml.load(as_yaml(told), yaml.CSafeLoader) == told


LINKS = (
    "www.example.net",
    "a@b.example",
    "3f786850e387550fdab836ed7e6dc881de23001b",
    "#12",
    "GH-1",
    "https://x.example",
)


@given(
    healths | st.sampled_from(LINKS).map(lambda each: Health((ServerHealth(each, Code.MISSING, 1.0, (_link(each),)),)))
)
def test_markdown_cells_are_code_and_nothing_else(health: Health) -> None:
    """In code no renderer finds markup, names, addresses or commits."""
    read = MarkdownIt("commonmark").enable("table").parse(markdown(health))
    rows = sum(len(each.problems) for each in health.servers) if not health.is_idle else 0
    cells = [read[at + 1] for at, each in enumerate(read) if each.type == "td_open"]
    assert len(cells) == 5 * rows
    for at, cell in enumerate(cells):
        kinds = [each.type for each in cell.children or ()]
        assert kinds == ["text"] if at % 5 == 0 else kinds in ([], ["code_inline"]), cell.content
    said = {_plain(text) for each in health.servers for status in each.problems for text in (status.rule, status.shows)}
    assert {_plain(each.content) for cell in cells for each in cell.children or ()} >= said - {""}


def _plain(text: str) -> str:
    return "".join(safe_text(text).split())


def _link(text: str) -> Status:
    return Status("web1", text, Code.MISSING, 0.0, text, text)
