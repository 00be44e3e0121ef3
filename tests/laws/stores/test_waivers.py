"""The laws of Waivers."""

from dataclasses import replace

import pytest

from multiall_cli.domain.health import Waiver
from multiall_cli.ports.store import Store
from tests.laws.stores.values import ODD


@pytest.mark.parametrize("odd", ODD)
def test_waivers_hold_until_they_end_or_are_revoked(store: Store, odd: str) -> None:
    waiver = Waiver("disk", "@web", 10.0, odd, odd, 1.0)
    numbers = [store.waivers.add(waiver), store.waivers.add(replace(waiver, ends=20.0))]
    assert store.waivers.all(9.0) == [replace(waiver, number=numbers[0]), replace(waiver, ends=20.0, number=numbers[1])]
    assert [each.number for each in store.waivers.all(10.0)] == [numbers[1]]
    assert (store.waivers.revoke(numbers[1], 11.0) or waiver).because == odd
    assert (store.waivers.all(12.0), store.waivers.revoke(numbers[1], 12.0), store.waivers.revoke(99, 0.0)) == (
        [],
        None,
        None,
    )
    assert [each.ends for each in store.waivers.all()] == [10.0, 11.0]
