"""What pipelines read: JUnit that an XML parser takes, annotations that are told once and read back whole."""

import re
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.cli.options import Format
from multiall_cli.cli.render.ci import github, junit
from multiall_cli.cli.render.failure import failure
from multiall_cli.cli.render.result import Case
from multiall_cli.domain.errors import Fault, InputFaults, Origin, UsageError
from multiall_cli.domain.exits import Exit

texts = st.text(st.characters(exclude_categories=()), max_size=30)
cases = st.lists(st.builds(Case, texts, texts, texts), max_size=6)


@given(cases)
@example([Case("web1", "files:/srv/<www>", "\x1b[31m]]> & \"quoted\" 'it' \udcff \ufffe")])
def test_junit_is_xml_with_the_right_sums(found: list[Case]) -> None:
    suite = ElementTree.fromstring(junit("pool.plan", found))
    assert (suite.tag, suite.get("name")) == ("testsuite", "pool.plan")
    assert int(suite.get("tests", "")) == len(found) == len(suite.findall("testcase"))
    assert int(suite.get("failures", "")) == sum(1 for each in found if each.fault) == len(suite.findall("*/failure"))


@given(cases)
def test_github_has_one_line_per_distinct_fault(found: list[Case]) -> None:
    lines = github(found).splitlines()
    assert len(lines) == len({(each.name, each.fault, each.origin) for each in found if each.fault})
    assert all(re.fullmatch(r"::error (file=[^:,]*,line=\d+,col=\d+,)?title=[^:,]*::.*", line) for line in lines)


def test_equal_faults_are_one_annotation_with_all_its_servers() -> None:
    found = [Case(f"web{number}", "files:/srv", "1 to update: 50% of a,b") for number in (1, 2)]
    assert github(found) == "::error title=web1%2C web2::files:/srv: 1 to update: 50%25 of a,b\n"


def test_what_was_asked_for_at_different_places_is_told_at_each() -> None:
    found = [Case("disk", "web1", "full", Origin("rules/a,b.yaml", line, 3)) for line in (4, 9)]
    assert github(found).splitlines() == [
        "::error file=rules/a%2Cb.yaml,line=4,col=3,title=disk::web1: full",
        "::error file=rules/a%2Cb.yaml,line=9,col=3,title=disk::web1: full",
    ]


def test_errors_keep_the_form_of_the_result() -> None:
    places = [Fault(Origin("inventory/a.yaml", line, 1), "what", "todo") for line in (1, 2)]
    fault = InputFaults(places)
    assert len(ElementTree.fromstring(failure(Format.JUNIT, fault, Exit.USAGE)).findall("*/failure")) == 2
    assert failure(Format.GITHUB, fault, Exit.USAGE).splitlines()[0] == (
        "::error file=inventory/a.yaml,line=1,col=1,title=site::inventory/a.yaml:1:1: what; todo"
    )
    one = UsageError("pool x", "there is none", "see all")
    assert failure(Format.NDJSON, one, Exit.USAGE).count("\n") == 1
