"""Every program does in every case what the table says of it."""

import subprocess

import pytest

from tests.comparison.case import Case, Tool
from tests.comparison.stage import OTHERS, Stage
from tests.comparison.table import CASES, versions

ROWS = [pytest.param(case, tool, id=f"{case.name}-{tool.name.lower()}") for case in CASES for tool in case.expected]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("case", "tool"), ROWS)
def test_as_the_table_says(stage: Stage, case: Case, tool: Tool) -> None:
    seen = case.bring(stage, tool)
    expected = case.expected[tool]
    wrong = [number for number, check in enumerate(expected.checks, 1) if not check(seen)]
    assert not wrong, (
        f"{tool}, {case.title}: not so: {expected.words} (checks {wrong})\nexit {seen.exit}, done on {seen.done}, "
        f"executed {seen.executed}, grown {seen.grown:.0f} MB, sent {seen.sent}\n"
        f"{seen.out[:3000]!r}\n{seen.err[:3000]!r}"
    )


def test_the_versions_that_the_page_names_are_those_that_ran() -> None:
    script = "import sys, importlib.metadata as m; print(*(f'{n}=={m.version(n)}' for n in sys.argv[1:]))"
    done = subprocess.run(
        [OTHERS / "bin/python", "-c", script, *versions()], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [f"{name}=={version}" for name, version in versions().items()]
