"""What a rule says, as it would be written."""

import pytest

from multiall_cli.domain.errors import Origin
from multiall_cli.domain.rule_source import Saying, SourcedValue
from multiall_cli.planning.rule_text import describe_rule
from multiall_cli.planning.rules import build


def said(**words: str | tuple[str, ...]) -> Saying:
    return {
        key.rstrip("_"): SourcedValue(value, Origin("f", 1, at)) for at, (key, value) in enumerate(words.items(), 1)
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            {"check": "disk", "path": "/", "used": ("80%", "90%"), "clear": "75%", "for_": "5m", "every": "1h"},
            {"check": "disk", "path": "/", "used": "80 %, 90 %", "clear": "75 %", "for": "5 min", "every": "1 h"},
        ),
        (
            {"check": "load", "one": "0..8", "often": "2 of 3", "severity": "warning", "title": "busy", "do": "look"},
            {"check": "load", "one": "0..8", "often": "2 of 3", "severity": "warning", "title": "busy", "do": "look"},
        ),
        (
            {
                "check": "service",
                "name": "nginx",
                "enabled": "true",
                "needs": ("a", "b"),
                "remedy": ("restart", "nginx"),
            },
            {"check": "service", "name": "nginx", "enabled": "true", "needs": "a, b", "remedy": "restart nginx"},
        ),
        ({"check": "file", "path": "/x", "same": ("sha256",)}, {"check": "file", "path": "/x", "same": "sha256"}),
        ({"check": "port", "port": "443", "open": "false"}, {"check": "port", "port": "443", "open": "false"}),
    ],
)
def test_each_key_has_its_value(words: dict[str, str | tuple[str, ...]], told: dict[str, str]) -> None:
    rule = build("r", said(**words), lambda *fault: pytest.fail(str(fault)))
    assert rule is not None
    assert describe_rule(rule) == told
