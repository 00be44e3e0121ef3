"""A scanned tree as packed records of some 60 bytes per entry. Read and written by both sides."""

import struct

FILE, DIRECTORY, LINK, HARDLINK = b"f", b"d", b"l", b"h"
LINKED = 2  # flag of a file: it has several hard links
SHARED = 4  # flag of a file: it has hard links without a record
HOLDS_MORE = 1  # flag of a directory: it has entries that the scan skipped (excluded, sockets, devices)

# kind, flags, mode, uid, gid, size, mtime ns, ctime ns, inode, lengths of path, target and extended attributes
_HEAD = struct.Struct(">cBHIIQqqQHHI")
SIZE = _HEAD.size
IDENTITY = slice(12, 44)  # of a record: packed size, times and inode
_LENGTHS = struct.Struct(">HHI")
_LENGTHS_AT = SIZE - _LENGTHS.size


class BadRecord(Exception):
    """The packed records are invalid."""


TWICE = 1000  # repeated paths: a folder that changes during the scan may list an entry twice


def _clamped(time):
    """Limit a time in nanoseconds to 64 bits: a file dated after 2262 must not break the scan."""
    return max(-(1 << 63), min(time, (1 << 63) - 1))


def pack(kind, flags, found, path, target=b"", xattrs=b""):
    """Return one record. `found`: the stat of the entry."""
    mode, size = found.st_mode & 0o7777, found.st_size if kind in (FILE, HARDLINK) else 0
    head = _HEAD.pack(
        kind,
        flags,
        mode,
        found.st_uid,
        found.st_gid,
        size,
        _clamped(found.st_mtime_ns),
        _clamped(found.st_ctime_ns),
        found.st_ino,
        len(path),
        len(target),
        len(xattrs),
    )
    return head + path + target + xattrs


def with_flag(record, flag):
    """Return the record with one more flag."""
    return record[:1] + bytes([record[1] | flag]) + record[2:]


def split(packed, most=0):
    """Return path → packed record, ten times faster than `unpack`. `most`: number of records allowed (0: any)."""
    out: "dict[bytes, bytes]" = {}
    place, end, count = 0, len(packed), 0
    while place < end:
        if place + SIZE > end:
            raise BadRecord("cut off")
        if count - len(out) > TWICE:
            raise BadRecord("the same path too often")
        if most and count >= most:
            raise BadRecord("more than %d" % most)
        path_size, target_size, xattr_size = _LENGTHS.unpack_from(packed, place + _LENGTHS_AT)
        start = place + SIZE
        stop = start + path_size + target_size + xattr_size
        if stop > end:
            raise BadRecord("cut off")
        out[packed[start : start + path_size]] = packed[place:stop]
        place, count = stop, count + 1
    return out


def unpack(packed):
    """Yield each record: (kind, flags, mode, uid, gid, size, mtime ns, ctime ns, inode, path, target, xattrs)."""
    place, end = 0, len(packed)
    while place < end:
        if place + SIZE > end:
            raise BadRecord("cut off")
        head = _HEAD.unpack_from(packed, place)
        place += SIZE
        path_size, target_size, xattr_size = head[9:]
        stop = place + path_size + target_size + xattr_size
        if stop > end or head[0] not in (FILE, DIRECTORY, LINK, HARDLINK):
            raise BadRecord("cut off or of unknown kind")
        path = packed[place : place + path_size]
        target = packed[place + path_size : place + path_size + target_size]
        yield head[:9] + (path, target, packed[stop - xattr_size : stop])
        place = stop


def pack_xattrs(pairs):
    """Return extended attributes as bytes: sorted names and values, each with its length."""
    out = []
    for name, value in sorted(pairs):
        out.append(struct.pack(">HI", len(name), len(value)) + name + value)
    return b"".join(out)


def unpack_xattrs(packed):
    """Return (name, value) pairs. Raises BadRecord."""
    pairs, place = [], 0
    while place < len(packed):
        if place + 6 > len(packed):
            raise BadRecord("cut off")
        name_size, value_size = struct.unpack_from(">HI", packed, place)
        place += 6
        if place + name_size + value_size > len(packed):
            raise BadRecord("cut off")
        pairs.append((packed[place : place + name_size], packed[place + name_size : place + name_size + value_size]))
        place += name_size + value_size
    return pairs
