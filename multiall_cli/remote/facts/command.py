"""The command fact: exit code and output of a program."""

from multiall_cli.remote.facts.sources import MAX_OUTPUT, run_bytes, search


def command(argv, stdout=None, stderr=None):
    """exit; output, where it is no more than 64 KiB; stdout_matches, stderr_matches, where patterns are given."""
    code, stdout_bytes, stderr_bytes = run_bytes(argv, MAX_OUTPUT + 1, whole=True)
    values, why = {"exit": code}, {}
    if len(stdout_bytes) <= MAX_OUTPUT:
        values["output"] = stdout_bytes.decode("utf-8", "replace")
    else:
        why["output"] = "it printed more than %d bytes" % MAX_OUTPUT
    for name, pattern, content in (("stdout_matches", stdout, stdout_bytes), ("stderr_matches", stderr, stderr_bytes)):
        if pattern is not None:
            searched = search(pattern, content, MAX_OUTPUT, name)
            why.update(searched.pop("why", {}))
            values.update(searched)
    return dict(values, why=why) if why else values
