"""TSIG keys from `tsig-keygen` files, and from base64 alone."""

import base64

import pytest

from multiall_cli.adapters.dns.tsig import tsig_of
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import Key

WORD = base64.b64encode(b"a secret of the tests").decode()
KEY = Key("multiall.", "hmac-sha256", Secret("file", "dns.key"))
FILE = f'key "multiall" {{\n\talgorithm hmac-sha512;\n\tsecret "{WORD}";\n}};\n'


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (WORD, "hmac-sha256."),
        (FILE, "hmac-sha512."),
        (
            f"// first\n# second\n/* key x {{ */\nkey MULTIALL {{ secret {WORD}; algorithm HMAC-SHA384; }}",
            "hmac-sha384.",
        ),
        (f'key "other" {{ algorithm hmac-md5; secret "AAAA"; }};\n{FILE}', "hmac-sha512."),
    ],
)
def test_a_key_is_read(text: str, algorithm: str) -> None:
    made = tsig_of(KEY, text)
    assert (made.secret, made.algorithm.to_text().lower()) == (b"a secret of the tests", algorithm)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no base64!", "not base64"),
        (FILE.replace("multiall", "others"), "has no key multiall (its keys: others)"),
        (FILE.replace("secret", "word"), "has no secret"),
        (FILE.replace("algorithm", "word"), "has no algorithm"),
        ("{", "has no key multiall (its keys: none)"),
    ],
)
def test_an_invalid_key_is_refused_without_its_secret(text: str, words: str) -> None:
    with pytest.raises(MultiAllError) as told:
        tsig_of(KEY, text)
    assert words in str(told.value)
    assert WORD not in str(told.value)
