"""Frames and records come back as they were packed; whatever else comes is told, never believed."""

import contextlib
import io
import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.remote import frames, loop
from multiall_cli.remote.formats import tree_records
from multiall_cli.remote.operations import find_operation

_kinds = st.sampled_from([frames.REQUEST, frames.DATA, frames.END, frames.VALUE, frames.ERROR, frames.HEARTBEAT])
_u32, _times = st.integers(0, 2**32 - 1), st.integers(-(2**63), 2**63 - 1)
_founds = st.builds(
    SimpleNamespace,
    st_mode=st.integers(0, 0o177777),
    st_uid=_u32,
    st_gid=_u32,
    st_size=st.integers(0, 2**64 - 1),
    st_mtime_ns=_times,
    st_ctime_ns=_times,
    st_ino=st.integers(0, 2**64 - 1),
)
_entries = st.tuples(
    st.sampled_from([tree_records.FILE, tree_records.DIRECTORY, tree_records.LINK, tree_records.HARDLINK]),
    st.integers(0, 3),
    _founds,
    st.binary(min_size=1, max_size=50),
    st.binary(max_size=50),
    st.binary(max_size=50),
)
_pairs = st.dictionaries(st.binary(max_size=20), st.binary(max_size=50), max_size=4)


@given(st.lists(st.tuples(_kinds, st.binary(max_size=200))))
def test_frames_come_back(sent: list[tuple[bytes, bytes]]) -> None:
    """One after the other, until the end."""
    stream = io.BytesIO(b"".join(frames.pack(*each) for each in sent))
    assert [frames.read(stream) for _ in sent] == sent
    assert frames.read(stream) is None


@given(_kinds, st.binary(max_size=50), st.data())
def test_a_cut_off_frame_is_told(kind: bytes, body: bytes, data: st.DataObject) -> None:
    """Wherever it is cut."""
    packed = frames.pack(kind, body)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(frames.BadFrame, match="the stream ended within"):
        frames.read(io.BytesIO(packed[:cut]))


@given(st.binary(min_size=5, max_size=40))
def test_any_bytes_are_a_frame_or_a_bad_one(noise: bytes) -> None:
    """Nothing else comes of them, and never more than the limit is asked for."""
    asked = []

    class Noise(io.BytesIO):
        """Remembers how much was asked for."""

        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(size)

    with contextlib.suppress(frames.BadFrame):
        frames.read(Noise(noise))
    assert max(size or 0 for size in asked) <= frames.MAX_BODY


def test_a_frame_longer_than_the_limit_is_not_read() -> None:
    """Four gigabytes are announced: nothing is allocated."""
    with pytest.raises(frames.BadFrame, match="the limit is"):
        frames.unpack_header(b"D\xff\xff\xff\xff")


def _expected(entry: tuple[bytes, int, SimpleNamespace, bytes, bytes, bytes]) -> tuple[object, ...]:
    kind, flags, found, path, target, xattrs = entry
    size = found.st_size if kind in (tree_records.FILE, tree_records.HARDLINK) else 0
    times = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return (kind, flags, found.st_mode & 0o7777, found.st_uid, found.st_gid, size, *times, path, target, xattrs)


@given(st.lists(_entries, max_size=5))
def test_records_come_back(entries: list[tuple[bytes, int, SimpleNamespace, bytes, bytes, bytes]]) -> None:
    """Names, targets and attributes of any bytes."""
    packed = b"".join(tree_records.pack(*each) for each in entries)
    assert list(tree_records.unpack(packed)) == [_expected(each) for each in entries]


@given(_entries, st.data())
def test_cut_off_records_are_told(
    entry: tuple[bytes, int, SimpleNamespace, bytes, bytes, bytes], data: st.DataObject
) -> None:
    """Wherever they are cut."""
    packed = tree_records.pack(*entry)
    with pytest.raises(tree_records.BadRecord):
        list(tree_records.unpack(packed[: data.draw(st.integers(1, len(packed) - 1))]))


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_bad_ones(noise: bytes) -> None:
    """The same of attributes."""
    for unpack in (tree_records.unpack, tree_records.unpack_xattrs):
        try:
            list(unpack(noise))
        except tree_records.BadRecord:
            continue


@given(_pairs)
def test_attributes_come_back_sorted(pairs: dict[bytes, bytes]) -> None:
    """Equal attributes are equal bytes, in whatever order the kernel told them."""
    packed = tree_records.pack_xattrs(pairs.items())
    assert tree_records.unpack_xattrs(packed) == sorted(pairs.items())
    assert packed == tree_records.pack_xattrs(reversed(list(pairs.items())))


def test_a_real_entry_is_packed(tmp_path: os.PathLike[str]) -> None:
    """Its stat as the kernel gives it."""
    found = os.stat(tmp_path)
    (record,) = tree_records.unpack(tree_records.pack(tree_records.DIRECTORY, tree_records.HOLDS_MORE, found, b"d"))
    assert record[:3] == (tree_records.DIRECTORY, tree_records.HOLDS_MORE, found.st_mode & 0o7777)


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"\xff", b"[" * 5000])
def test_a_request_that_is_none_ends_the_loop(body: bytes) -> None:
    """It is a bad frame, like any other thing that does not belong there."""
    with pytest.raises(frames.BadFrame, match="a request that is not"):
        loop.serve(io.BytesIO(frames.pack(frames.REQUEST, body)), io.BytesIO(), find_operation)
