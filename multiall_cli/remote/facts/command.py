"""The command fact: exit code and output of a program."""

from multiall_cli.remote.facts.sources import OUTPUT, captured, found_in


def command(argv, stdout=None, stderr=None):
    """exit; output, where it is no more than 64 KiB; stdout_matches, stderr_matches, where patterns are given."""
    code, told, complaints = captured(argv, OUTPUT + 1, whole=True)
    found, why = {"exit": code}, {}
    if len(told) <= OUTPUT:
        found["output"] = told.decode("utf-8", "replace")
    else:
        why["output"] = "it printed more than %d bytes" % OUTPUT
    for name, pattern, content in (("stdout_matches", stdout, told), ("stderr_matches", stderr, complaints)):
        if pattern is not None:
            searched = found_in(pattern, content, OUTPUT, name)
            why.update(searched.pop("why", {}))
            found.update(searched)
    return dict(found, why=why) if why else found
