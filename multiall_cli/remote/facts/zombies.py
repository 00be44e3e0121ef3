"""The zombies fact."""

from multiall_cli.remote.facts.process import processes


def zombies():
    """Return count: zombie processes."""
    return {"count": sum(1 for each in processes() if each[2] == "Z")}
