"""Secret references without a value."""

import pytest

from multiall_cli.adapters.secrets import reveal
from multiall_cli.domain.errors import UsageError
from multiall_cli.domain.values import Secret


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("cmd", "pass 'open", "no closing quotation"),
        ("cmd", " ", "no command is given"),
        ("cmd", "sh -c 'exit 3'", "its command exited with 3"),
        ("cmd", "printf '\\377'", "UnicodeDecodeError"),
        ("file", "~no-such-user/x", "No such file or directory"),
        ("file", "a\0b", "embedded null byte"),
        ("env", "NOT_SET_HERE", "not set"),
    ],
)
def test_a_reference_without_a_value(kind: str, name: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        reveal(Secret(kind, name))
    assert (caught.value.what, caught.value.todo) == (f"no value ({why})", "set it, or fix the reference")
