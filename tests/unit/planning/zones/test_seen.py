"""What a site has declared at some time, in little room."""

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.agents.zones.known_names import SIZE, noted, short, unpack

NAMES = st.sampled_from(["www.example.net.", "api.example.net.", "."])
PLACES = st.sets(st.tuples(NAMES, st.sampled_from(["A", "SRV"])))


@given(PLACES, PLACES, PLACES)
def test_what_is_declared_or_was_and_still_bears_our_mark_is_known(before: set, declared: set, owned: set) -> None:
    kept = noted(noted(b"", before, set), declared, lambda: owned)
    assert unpack(kept) == {short(place) for place in declared | (before & owned)}
    assert noted(kept, declared, lambda: owned) == kept
    assert len(kept) == SIZE * len(unpack(kept))


def test_the_zone_is_gone_through_only_where_something_is_no_longer_declared() -> None:
    def never() -> set:
        raise AssertionError

    www, api = ("www.example.net.", "A"), ("api.example.net.", "A")
    kept = noted(b"", [www], never)
    assert noted(kept, [www, api], never) != kept
    assert unpack(noted(kept, [api], lambda: {www})) == {short(www), short(api)}
