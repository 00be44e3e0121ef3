"""The target grammar: what binds tighter, and where a text stops making sense."""

import pytest

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets.grammar import (
    DEPTH,
    Both,
    Either,
    Group,
    Labelled,
    Names,
    Without,
    atoms,
    parse,
)

A, B, C = Names("a"), Names("b"), Names("c")
EXPRESSIONS = {
    "a": A,
    " a ": A,
    "web[1,3-5]": Names("web[1,3-5]"),
    "@web": Group("web"),
    "rack=r1": Labelled("rack", "r1"),
    "url=a=b": Labelled("url", "a=b"),
    "!a": Without(A),
    "!!a": Without(Without(A)),
    "a & b, c": Either((Both((A, B)), C)),
    "a, b & c": Either((A, Both((B, C)))),
    "a&!b": Both((A, Without(B))),
    "(a, b) & c": Both((Either((A, B)), C)),
    "!(a, b)": Without(Either((A, B))),
    "a, (!b)": Either((A, Both((Without(B),)))),
    "a, b & !c": Either((A, Both((B, Without(C))))),
}
WRONG = {
    "": "lacks a name at its end",
    "a,": "lacks a name at its end",
    "a & ": "lacks a name at its end",
    "a b": "where ',' or '&' belongs",
    "a ! b": "where ',' or '&' belongs",
    "a)": "where ',' or '&' belongs",
    "(a": "without its ')'",
    ", a": "lacks a name before ','",
    "& a": "lacks a name before '&'",
    "()": "lacks a name before ')'",
    "a, !b": "in a list",
    "!a, b": "in a list",
    "=x": "without a key or a value",
    "x=": "without a key or a value",
    "web[1": "bracket",
    "web]": "bracket",
    "(" * (DEPTH + 2) + "a": "nested",
    "!" * 5000 + "a": "nested",
}


@pytest.mark.parametrize(("text", "expression"), EXPRESSIONS.items())
def test_a_text_means_an_expression(text, expression):
    assert parse(text) == expression


@pytest.mark.parametrize(("text", "reason"), WRONG.items())
def test_what_makes_no_sense_is_told(text, reason):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert reason in caught.value.what
    assert len(str(caught.value)) < 300


def test_atoms_are_told_in_their_order():
    assert [str(atom) for atom in atoms("!(a, @b) & c=d, e")] == ["a", "@b", "c=d", "e"]
