"""The zombies fact."""

from multiall_cli.remote.facts.process import processes


def zombies():
    return {"count": sum(1 for each in processes() if each[2] == "Z")}
