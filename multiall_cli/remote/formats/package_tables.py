"""Tables of installed packages as package managers write them."""


def parse_dpkg_status(text):
    """name → version of each installed package in dpkg's table; also by name and architecture."""
    found: "dict[str, str]" = {}
    for block in text.split("\n\n"):
        name = _field(block, "Package: ")
        if name and _field(block, "Status: ").endswith(" installed"):
            for each in (name, "%s:%s" % (name, _field(block, "Architecture: "))):
                found.setdefault(each, _field(block, "Version: "))  # of several architectures the first
    return found


def _field(block, label):
    """What stands behind a label at the begin of a line; '' where there is none."""
    return ("\n" + block).partition("\n" + label)[2].partition("\n")[0]
