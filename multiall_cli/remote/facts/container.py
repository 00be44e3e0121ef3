"""The container fact, from docker or podman."""

import json
import re
import shutil

from multiall_cli.remote.facts.sources import Unsupported, command_error, run

MAX_INSPECT = 1 << 22  # bytes of the description of a container


def container(name):
    """Return present, running, health (if the image has a health check) and restarts."""
    programs = [each for each in ("docker", "podman") if shutil.which(each)]
    if not programs:
        raise Unsupported("neither docker nor podman is installed")
    trouble = None
    for program in programs:
        argv = [program, "container", "inspect", "--", name]
        code, values, stderr = run(argv, MAX_INSPECT)
        if code == 0:
            return parse_inspect(values)
        if not re.search("no such container", stderr, re.IGNORECASE):
            trouble = trouble or command_error(argv, code, stderr)
    if trouble is not None:
        raise trouble
    return {"present": False}


def parse_inspect(text):
    """Return the values in the output of `container inspect`."""
    found = json.loads(text)[0]
    state = found["State"]
    values: "dict[str, object]" = {"present": True, "running": bool(state["Running"])}
    health = (state.get("Health") or state.get("Healthcheck") or {}).get("Status")
    if health:
        values["health"] = health
    if "RestartCount" in found:
        values["restarts"] = int(found["RestartCount"])
    return values
