"""The container fact, from docker or podman."""

import json
import re
import shutil

from multiall_cli.remote.facts.sources import Unsupported, failed, output

INSPECTED = 1 << 22  # bytes of what is told of a container


def container(name):
    """present, running, health (where it has a check of its own), restarts: of docker or podman."""
    programs = [each for each in ("docker", "podman") if shutil.which(each)]
    if not programs:
        raise Unsupported("it has neither docker nor podman")
    trouble = None
    for program in programs:
        argv = [program, "container", "inspect", "--", name]
        code, told, complaints = output(argv, INSPECTED)
        if code == 0:
            return container_of(told)
        if not re.search("no such container", complaints, re.IGNORECASE):
            trouble = trouble or failed(argv, code, complaints)
    if trouble is not None:
        raise trouble
    return {"present": False}


def container_of(text):
    found = json.loads(text)[0]
    state = found["State"]
    told: "dict[str, object]" = {"present": True, "running": bool(state["Running"])}
    health = (state.get("Health") or state.get("Healthcheck") or {}).get("Status")
    if health:
        told["health"] = health
    if "RestartCount" in found:
        told["restarts"] = int(found["RestartCount"])
    return told
