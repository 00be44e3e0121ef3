"""Items of zones: records of one name and type, with their ownership."""

from collections.abc import Iterable, Iterator, Mapping

from multiall_cli.agents.zones.plan import marker_of
from multiall_cli.domain.change import Change
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.records import RRset, ZoneContent, key_of, place_of
from multiall_cli.domain.zones import Zone
from multiall_cli.planning.zones import ownership


@dataclass(frozen=True, slots=True)
class OwnedRecords:
    """Records of one name and type.

    `is_ours`: whether our marker is beside them and fits them. It is compared, so the adoption of records that stay as
    they are is a change too. `rrset`: the records with the text of their marker, or, if desired, with their pool.
    """

    is_ours: bool
    rrset: RRset

    def brief(self) -> str:
        return self.rrset.brief()


class ZoneSnapshot(Mapping[str, OwnedRecords]):
    """Snapshot of a zone that was read. `content`: all of it.

    `is_pushed_again`: whether its file was pushed again meanwhile, to a primary that served an older one.
    """

    def __init__(self, zone: Zone, content: ZoneContent) -> None:
        self.content = content
        self.is_pushed_again = False
        self._zone = zone

    def __getitem__(self, key: str) -> OwnedRecords:
        there, marker = self.content.rrsets.get(place_of(key)), marker_of(self.content, place_of(key))
        if there is None and marker is None:
            raise KeyError(key)
        ttl, values = (there.ttl, there.values) if there else (0, ())
        return _owned(self._zone, RRset(ttl, values, marker.text if marker else ""))

    def __iter__(self) -> Iterator[str]:
        return map(key_of, self.content.rrsets)

    def __len__(self) -> int:
        return len(self.content.rrsets)


class Unchanged(Mapping[str, OwnedRecords]):
    """Snapshot of a zone that has the serial that it had when nothing was to be done; nor has anything else changed.

    `ours`: the number of our names and types.
    """

    def __init__(self, serial: int, ours: int) -> None:
        self.serial = serial
        self.ours = ours

    def __getitem__(self, key: str) -> OwnedRecords:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def after_of(changes: Iterable[Change[RRset]]) -> dict[str, OwnedRecords | None]:
    """Return the desired items of changes."""
    return {each.key: OwnedRecords(True, each.after) if each.after is not None else None for each in changes}


def records_of(changes: Iterable[Change[OwnedRecords]]) -> tuple[Change[RRset], ...]:
    """Return changes of items as changes of records."""
    return tuple(
        Change(each.key, each.before.rrset if each.before else None, each.after.rrset if each.after else None)
        for each in changes
    )


def _owned(zone: Zone, rrset: RRset) -> OwnedRecords:
    mark = ownership.read(rrset.marker)
    fits = mark is not None and mark.owner == zone.owner and mark.digest == ownership.digest(rrset.values)
    return OwnedRecords(fits, rrset)
