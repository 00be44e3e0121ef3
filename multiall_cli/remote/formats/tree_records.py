"""A scanned tree as packed records: some 60 bytes an entry instead of an object each; read by both sides."""

import struct

FILE, DIRECTORY, LINK, HARDLINK = b"f", b"d", b"l", b"h"
LINKED = 2  # flag of a file: it has several names
SHARED = 4  # flag of a file: some of its names are not among the records
HOLDS_MORE = 1  # flag of a directory: it has entries that the scan left out (excluded, sockets, devices)

# kind, flags, mode, uid, gid, size, mtime ns, ctime ns, inode, lengths of path, target and extended attributes
_HEAD = struct.Struct(">cBHIIQqqQHHI")
SIZE = _HEAD.size
IDENTITY = slice(12, 44)  # of a record: size, times and inode, as they are packed
_LENGTHS = struct.Struct(">HHI")
_LENGTHS_AT = SIZE - _LENGTHS.size


class BadRecord(Exception):
    """Packed records that cannot be right."""


TWICE = 1000  # records of paths that came before: a folder that changes while it is read may name an entry twice


def _held(time):
    """A time in nanoseconds that fits; a file dated after the year 2262 must not spoil the look at all the others."""
    return max(-(1 << 63), min(time, (1 << 63) - 1))


def pack(kind, flags, found, path, target=b"", xattrs=b""):
    """One record; `found` is the entry's stat."""
    mode, size = found.st_mode & 0o7777, found.st_size if kind in (FILE, HARDLINK) else 0
    head = _HEAD.pack(
        kind,
        flags,
        mode,
        found.st_uid,
        found.st_gid,
        size,
        _held(found.st_mtime_ns),
        _held(found.st_ctime_ns),
        found.st_ino,
        len(path),
        len(target),
        len(xattrs),
    )
    return head + path + target + xattrs


def with_flag(record, flag):
    """The record with one more flag."""
    return record[:1] + bytes([record[1] | flag]) + record[2:]


def split(packed, most=0):
    """path → record, each still packed; a tenth of the work of `unpack`. `most`: of so many (0: any number)."""
    out: "dict[bytes, bytes]" = {}
    place, end, count = 0, len(packed), 0
    while place < end:
        if place + SIZE > end:
            raise BadRecord("cut off")
        if count - len(out) > TWICE:
            raise BadRecord("one path again and again")
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
    """Every record: (kind, flags, mode, uid, gid, size, mtime ns, ctime ns, inode, path, target, xattrs)."""
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
    """Extended attributes as bytes: sorted names and values, each with its length before it."""
    out = []
    for name, value in sorted(pairs):
        out.append(struct.pack(">HI", len(name), len(value)) + name + value)
    return b"".join(out)


def unpack_xattrs(packed):
    """The (name, value) pairs; BadRecord where they cannot be."""
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
