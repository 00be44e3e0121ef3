"""The known name that a mistyped one most likely means."""

from multiall_cli.planning.suggestions import did_you_mean, nearest


def test_the_most_alike_word_is_found():
    assert nearest("wbe1", ["db1", "web1", "cache"]) == "web1"


def test_nothing_alike_is_nothing():
    assert nearest("zzz", ["web1"]) is None
    assert did_you_mean("zzz", ["web1"]) == ""


def test_the_hint_stands_before_the_rest_of_a_sentence():
    assert did_you_mean("wbe", ["web"], "@") + "see" == "did you mean @web? see"
