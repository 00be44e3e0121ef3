"""Packed records: what was packed is unpacked, whatever a file system says."""

from types import SimpleNamespace

import pytest

from multiall_cli.remote.formats import tree_records


@pytest.mark.parametrize("time", [0, -1, 1 << 62, 10**30, -(10**30)])
def test_a_file_of_any_date_is_packed(time: int) -> None:
    """A date that fits no record is held at the record's limit: it must not spoil the scan of a whole tree."""
    found = SimpleNamespace(st_mode=0o100644, st_uid=0, st_gid=0, st_size=3, st_mtime_ns=time, st_ctime_ns=0, st_ino=1)
    (record,) = tree_records.unpack(tree_records.pack(tree_records.FILE, 0, found, b"a"))
    assert record[6] == max(-(1 << 63), min(time, (1 << 63) - 1))


def test_one_path_twice_is_a_folder_that_changed_and_without_end_is_garbage() -> None:
    """Of three hundred megabytes of nothing, a few records are read."""
    found = SimpleNamespace(st_mode=0o100644, st_uid=0, st_gid=0, st_size=3, st_mtime_ns=1, st_ctime_ns=0, st_ino=1)
    record = tree_records.pack(tree_records.FILE, 0, found, b"a")
    assert tree_records.split(record * 2) == {b"a": record}
    with pytest.raises(tree_records.BadRecord, match="the same path too often"):
        tree_records.split(record * 5000)
