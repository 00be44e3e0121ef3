"""The diff that all agents share: observed state, desired state, and the changes between them."""

from multiall_cli.domain.change import Change, Item, Overlay, Snapshot


def diff(observed: Snapshot[Item], desired: Snapshot[Item]) -> list[Change[Item]]:
    """Return the changes that turn `observed` into `desired`, sorted by key. Equal items need none.

    An agent that knows the two to be equal may pass the same mapping twice; it is then not read at all. If one is an
    `Overlay` of the other, only the differing items are compared.
    """
    if observed is desired:
        return []
    if isinstance(observed, Overlay) and observed.other is desired:
        pairs = [(key, item, desired.get(key)) for key, item in observed.differing.items()]
        changes = [Change(key, before, after) for key, before, after in pairs if before != after]
    elif isinstance(desired, Overlay) and desired.other is observed:
        pairs = [(key, observed.get(key), item) for key, item in desired.differing.items()]
        changes = [Change(key, before, after) for key, before, after in pairs if before != after]
    else:
        changes = [Change(key, observed.get(key), item) for key, item in desired.items() if observed.get(key) != item]
        changes += [Change(key, item, None) for key, item in observed.items() if key not in desired]
    return sorted(changes, key=lambda change: change.key)


def patch(observed: Snapshot[Item], changes: list[Change[Item]]) -> dict[str, Item]:
    """Return the state after the changes; the inverse of `diff`."""
    after = dict(observed)
    for change in changes:
        if change.after is None:
            after.pop(change.key, None)
        else:
            after[change.key] = change.after
    return after
