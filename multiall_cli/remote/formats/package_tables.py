"""Tables of installed packages as package managers write them."""


def parse_dpkg_status(text):
    """Return name → version of the installed packages in dpkg's status file; also by name:architecture."""
    found: "dict[str, str]" = {}
    for block in text.split("\n\n"):
        name = _field(block, "Package: ")
        if name and _field(block, "Status: ").endswith(" installed"):
            for each in (name, "%s:%s" % (name, _field(block, "Architecture: "))):
                found.setdefault(each, _field(block, "Version: "))  # the first of several architectures
    return found


def _field(block, label):
    """Return the value of a field; '' without it."""
    return ("\n" + block).partition("\n" + label)[2].partition("\n")[0]
