"""Results as pipelines read them: JUnit XML, and annotations of GitHub's runners."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from multiall_cli.cli.render.result import Case
from multiall_cli.cli.render.runners import COMMAND, broken
from multiall_cli.cli.render.text import safe_text
from multiall_cli.domain.errors import Origin


def junit(suite: str, cases: Sequence[Case]) -> str:
    """One test case per thing that was looked at."""
    faults = sum(1 for case in cases if case.fault)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name={quoteattr(suite)} tests="{len(cases)}" failures="{faults}">',
    ]
    for case in cases:
        head = f"  <testcase classname={quoteattr(safe_text(case.group))} name={quoteattr(safe_text(case.name))}"
        words = safe_text(case.fault)
        body = f"><failure message={quoteattr(words)}>{escape(words)}</failure></testcase>" if words else "/>"
        lines.append(head + body)
    return COMMAND.sub(r"&#35;#", "\n".join([*lines, "</testsuite>", ""]))


def github(cases: Sequence[Case]) -> str:
    """One annotation per distinct fault: the runners show only ten of a step, so equal ones are told once."""
    shared: dict[tuple[str, Origin], list[str]] = {}
    for case in cases:
        if case.fault:
            shared.setdefault((f"{case.name}: {case.fault}", case.origin), []).append(case.group)
    return "".join(
        f"::error {_place(origin)}title={_property(', '.join(groups))}::{_message(words)}\n"
        for (words, origin), groups in shared.items()
    )


def _place(origin: Origin) -> str:
    """Which line of the site's files the runner is to show it at."""
    return f"file={_property(origin.file)},line={origin.line},col={origin.column}," if origin.line else ""


def _message(text: str) -> str:
    """As the runners read it back: of what they escape, only the percent sign survives `safe_text`."""
    return broken(safe_text(text)).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
