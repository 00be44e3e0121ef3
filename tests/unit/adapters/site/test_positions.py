"""YAML with positions: what is parsed, and which errors are reported."""

import pytest

from multiall_cli.adapters.site.positions import DEPTH, YamlList, YamlMapping, YamlScalar, parse_yaml, to_python

FILE = "inventory/site.yaml"
READ = {
    "a: 1": {"a": 1},
    "a: no\nb: on\nc: off\nd: yes": {"a": "no", "b": "on", "c": "off", "d": "yes"},
    "a: true\nb: False": {"a": True, "b": False},
    "a: 'true'\nb: '1'": {"a": "true", "b": "1"},
    "a: 1:30\nb: 2020-01-01\nc: 1_000": {"a": "1:30", "b": "2020-01-01", "c": "1_000"},
    "a: 0o17\nb: 0x1f\nc: 017\nd: -3\ne: +4": {"a": 15, "b": 31, "c": 17, "d": -3, "e": 4},
    "a: 1.5\nb: 1e3\nc: .5\nd: -.inf": {"a": 1.5, "b": 1000.0, "c": 0.5, "d": float("-inf")},
    "a: 1.2.3\nb: '-'\nc: -x\nd: 0x\ne: +": {"a": "1.2.3", "b": "-", "c": "-x", "d": "0x", "e": "+"},
    "a: ~\nb: null\nc:\nd: ''": {"a": None, "b": None, "c": None, "d": ""},
    "a: " + "9" * 30: {"a": 1e30},
    "a: &x [1, 2]\nb: *x": {"a": [1, 2], "b": [1, 2]},
    "? a\n: 1": {"a": 1},
    "? &k a\n: 1": {"a": 1},
    "a: ! 1": {"a": 1},
    "a: |\n  two\n  lines": {"a": "two\nlines"},
    "# only a comment": None,
    "": None,
}
TOLD = {
    "a: 1\nb: 2\na: 3": "3:1: has the key 'a' twice (first at inventory/site.yaml:1:1); keep one of them",
    "a:\n\tb: 1": "2:1: is indented by a tab, which YAML forbids; indent by spaces",
    "a: [1": "2:1: is not YAML: ",
    "a: b: c": "1:5: is not YAML: ",
    "a: 'x": "1:6: is not YAML: ",
    "a: \x01": r"1:4: has the character '\x01'; remove it",
    "a: 1\r\nb: 2\rc: 3": r"2:5: has the line end '\r'; save it with Unix line ends",
    "# one\u2028# two": r"1:6: has the line end '\u2028'",
    "a: \ufffe": r"1:4: has the character '\ufffe'",
    'a: "\\e[31m"': r"1:4: has the control character '\x1b'; remove it",
    'a: "\\u202e"': r"1:4: has the control character '\u202e'; remove it",
    "a: !!python/object/apply:os.system [x]": "1:4: has the tag",
    "a: !x {b: 1}": "1:4: has the tag '!x'; write a plain value without a tag",
    "a: !!str 1": "1:4: has the tag",
    "? [a]\n: 1": "1:3: is not a valid key",
    "? {a: 1}\n: 1": "1:3: is not a valid key",
    "'': 1": "1:1: is not a valid key",
    "<<: {a: 1}": "1:1: merges mappings by '<<', which is not supported; write the keys out",
    "a: *b": "1:4: refers to the anchor 'b', which is not defined above",
    "&a [*a]": "1:5: refers to the anchor 'a', which is not defined above",
    "---\na: 1\n---\nb: 2": "3:1: begins a second document; put it into its own file",
    "[" * (DEPTH + 2): f"1:{DEPTH + 2}: is nested more than {DEPTH} deep",
    "{a: " * (DEPTH + 2): "is nested more than",
    "[" * 200_000: "is nested more than",
    "a: '" + "[" * 200_000: "is not YAML: ",
    "a: [web[1-3]]": "quote a range inside [ ] or { }",
}


@pytest.mark.parametrize(("text", "values"), READ.items(), ids=[repr(text[:20]) for text in READ])
def test_yaml_is_read_as_version_1_2(text, values):
    written, faults = parse_yaml(text, FILE)
    assert not faults
    assert to_python(written) == values


@pytest.mark.parametrize(("text", "told"), TOLD.items(), ids=[repr(text[:20]) for text in TOLD])
def test_invalid_yaml_is_reported_with_its_position(text, told):
    _, faults = parse_yaml(text, FILE)
    assert told in str(faults[0])
    assert str(faults[0]).startswith(FILE)


def test_every_key_and_value_has_a_position():
    written, _ = parse_yaml("a:\n  - x\n  - b: {c: d}\n", FILE)
    assert isinstance(written, YamlMapping)
    assert str(written.keys["a"]) == f"{FILE}:1:1"
    listing = written.entries["a"]
    assert isinstance(listing, YamlList)
    assert [str(item.origin) for item in listing.items] == [f"{FILE}:2:5", f"{FILE}:3:5"]


def test_a_scalar_has_its_text_as_written():
    written, _ = parse_yaml("0644", FILE)
    assert isinstance(written, YamlScalar)
    assert (written.value, written.text) == (644, "0644")


def test_an_alias_bomb_is_stopped():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    _, faults = parse_yaml("\n".join(rows), FILE)
    assert "1,000,000 values by aliases" in faults[0].what


def test_all_duplicate_keys_are_reported():
    _, faults = parse_yaml("a: 1\na: 2\nb: {c: 1, c: 2}", FILE)
    assert len(faults) == 2


def test_tags_can_be_kept():
    written, faults = parse_yaml("a: !vault x\nb: !y {c: 1}", FILE, tags=True)
    assert not faults
    assert isinstance(written, YamlMapping)
    assert written.entries["a"].tag == "!vault"  # type: ignore[union-attr]
