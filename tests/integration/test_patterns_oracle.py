"""git itself says which paths a .gitignore means."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.remote.formats.patterns import Patterns
from tests.scale import examples


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository that no one's own settings reach."""
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


_PIECES = ("a", "b", "ab", "*", "**", "?", "/", "/", "/**/", "[ab]", "[!a]", "[a-c]", "\\*", ".", "]")
_patterns = st.tuples(
    st.sampled_from(["", "", "", "!"]), st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map("".join)
).map("".join)
_names = st.sampled_from(["a", "b", "ab", "aab", "c", "*", "a.b", "]", "ba"])
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)


def _sane(pattern: str) -> bool:
    """Without doubled slashes, which git never matches, and without `a**` beside a slash.

    There git compares the `a` by itself first and then takes the stars for some that stand alone.
    """
    joined = "/" in pattern and re.search(r"[^/!*]\*\*", pattern)
    return "//" not in pattern and pattern.strip("!/") != "" and not joined


@examples(120)
@given(st.lists(_patterns.filter(_sane), min_size=1, max_size=3), st.lists(_paths, min_size=1, max_size=8, unique=True))
def test_patterns_mean_what_git_means(repository: Path, patterns: list[str], paths: list[str]) -> None:
    """Any patterns, any paths, each as a file and as a directory that holds one."""
    (repository / ".gitignore").write_text("".join(f"{pattern}\n" for pattern in patterns))
    asked = [f"{path}{below}" for path in paths for below in ("", "/zz")]
    told = subprocess.run(
        ["git", "-C", str(repository), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(asked).encode(),
        check=False,
        capture_output=True,
    )
    ignored = set(told.stdout.decode().split("\0")) - {""}
    ours = Patterns(patterns)
    found = {path for path in asked if ours.match_below(path.encode(), False)}
    assert found == ignored
