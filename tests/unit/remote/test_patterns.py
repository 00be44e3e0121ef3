"""The notation of .gitignore, as a table; `git check-ignore` itself is asked in the integration tests."""

import pytest

from multiall_cli.remote.formats.patterns import Patterns


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("*.log", ["a.log", "d/a.log", ".log"], ["a.log.gz", "log"]),
        ("/top", ["top"], ["d/top"]),
        ("a/b", ["a/b"], ["x/a/b", "a/b/c", "a"]),
        ("**/b", ["b", "a/b", "a/x/b"], ["ab", "b/c"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "x/a/b"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("**", ["a", "a/b"], []),
        ("foo**", ["foo", "foox", "d/foo"], ["foo/x"]),
        ("foo**/bar", ["foo/bar", "foox/bar"], ["foobar", "foo/x/bar"]),
        ("a?c", ["abc"], ["ac", "a/c", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[!a]x", ["bx"], ["ax", "/x"]),
        ("[^a]x", ["bx"], ["ax"]),
        ("[]]x", ["]x"], ["x"]),
        ("[[:digit:]]x", ["5x"], ["dx", ":]x"]),
        ("[z-a]x", ["zx"], ["ax", "bx"]),
        ("[a", [], ["a", "[a"]),
        ("\\*", ["*"], ["a"]),
        ("\\!a", ["!a"], ["a"]),
        ("a b", ["a b"], ["a"]),
        ("\udcff", ["\udcff"], ["a"]),
        ("", [], ["a"]),
        ("/", [], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)
def test_which_paths_are_meant(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    """Each pattern with paths on both sides of its border."""
    patterns = Patterns([pattern])
    found = {path: patterns.match(path.encode("utf-8", "surrogateescape"), False) for path in meant + not_meant}
    assert found == dict.fromkeys(meant, True) | dict.fromkeys(not_meant, False)


def test_a_slash_at_the_end_means_directories_only() -> None:
    """And with them all that is below."""
    patterns = Patterns(["cache/"])
    found = [patterns.match(b"cache", True), patterns.match(b"cache", False), patterns.match_below(b"cache/x", False)]
    assert found == [True, False, True]


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [(["*.log", "!keep.log"], False), (["!keep.log", "*.log"], True), (["*", "!*", "keep.log"], True), ([], False)],
)
def test_the_last_match_decides(patterns: list[str], meant: bool) -> None:
    """A `!` takes an earlier match back."""
    assert Patterns(patterns).match(b"keep.log", False) is meant


def test_no_patterns_are_false() -> None:
    """So that nobody asks them."""
    assert (bool(Patterns([])), bool(Patterns(["a"]))) == (False, True)
