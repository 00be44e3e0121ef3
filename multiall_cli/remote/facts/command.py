"""The command fact: exit code and output of a program."""

from multiall_cli.remote.facts.sources import MAX_OUTPUT, run_bytes, search


def command(argv, stdout=None, stderr=None):
    """Return exit, output (up to 64 KiB), and stdout_matches and stderr_matches if patterns are given."""
    code, stdout_bytes, stderr_bytes = run_bytes(argv, MAX_OUTPUT + 1, whole=True)
    values, why = {"exit": code}, {}
    if len(stdout_bytes) <= MAX_OUTPUT:
        values["output"] = stdout_bytes.decode("utf-8", "replace")
    else:
        why["output"] = "the output is longer than %d bytes" % MAX_OUTPUT
    for name, pattern, content in (("stdout_matches", stdout, stdout_bytes), ("stderr_matches", stderr, stderr_bytes)):
        if pattern is not None:
            searched = search(pattern, content, MAX_OUTPUT, name)
            why.update(searched.pop("why", {}))
            values.update(searched)
    return dict(values, why=why) if why else values
