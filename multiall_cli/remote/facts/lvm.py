"""The LVM volume group fact."""

from multiall_cli.remote.facts.sources import checked_output


def lvm(name):
    """Return present, used (share), free (bytes) and missing (disks)."""
    columns = "vg_name,vg_size,vg_free,vg_missing_pv_count"
    return parse_vgs(checked_output(["vgs", "--noheadings", "--nosuffix", "--units", "b", "-o", columns]), name)


def parse_vgs(text, name):
    """Return the values of one volume group from `vgs`."""
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == name:
            size, free = float(words[1]), float(words[2])
            used = (size - free) / size if size else 0.0
            return {"present": True, "used": used, "free": free, "missing": int(words[3])}
    return {"present": False}
