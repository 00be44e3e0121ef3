"""How each program is told to run a command, and to bring a tree of files, as its documentation shows it."""

import json
import sys
from collections.abc import Iterable

from tests.comparison.case import Tool
from tests.comparison.stage import OTHERS, Stage
from tests.lab.ground import ROOT

PYTHON = "ansible_python_interpreter=/usr/bin/python3"


def multiall(stage: Stage, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "multiall_cli", "--site", str(stage.ground.root), *words)


def ansible(stage: Stage, *words: str, inventory: Iterable[str] = (), program: str = "ansible") -> tuple[str, ...]:
    """With the lab's hosts as group `web`, or with other inventory files."""
    own = stage.file("hosts.ini", "[web]\n" + "".join(f"{name} {PYTHON}\n" for name in stage.names))
    sources = [word for source in list(inventory) or [str(own)] for word in ("-i", source)]
    return (program, *sources, *words)


def pyinfra(stage: Stage, *words: str) -> tuple[str, ...]:
    inventory = stage.file("hosts.py", f"web = {list(stage.names)}\n")
    return ("pyinfra", "--yes", str(inventory), *words)


def clush(stage: Stage, *words: str) -> tuple[str, ...]:
    return ("clush", "-o", f"-F {stage.config}", *words)


def pssh(stage: Stage, line: str, addresses: Iterable[str]) -> tuple[str, ...]:
    script = str(ROOT / "tests/comparison/parallel.py")
    return (str(OTHERS / "bin/python"), script, str(stage.ground.lab.key), line, *addresses)


def each(stage: Stage, names: Iterable[str], *words: str) -> tuple[str, ...]:
    """The loop that everybody has written."""
    ssh = f"ssh -F {stage.config}"
    copy = 'rsync -r "$@" "$tree/" "$server:/srv/www/"'
    script = f"export RSYNC_RSH='{ssh}'; tree=$1; shift; for server in {' '.join(names)}; do {copy}; done"
    return ("bash", "-c", script, "loop", str(stage.tree), *words)


def command(stage: Stage, tool: Tool, line: str) -> tuple[str, ...]:
    """A shell command on all hosts."""
    match tool:
        case Tool.MULTIALL:
            return multiall(stage, "exec", "@web", "--", "sh", "-c", line)
        case Tool.ANSIBLE:
            return ansible(stage, "web", "-m", "shell", "-a", line)
        case Tool.PYINFRA:
            return pyinfra(stage, "exec", "--", line)
        case Tool.CLUSTERSHELL:
            return clush(stage, "-b", "-w", ",".join(stage.names), line)
        case Tool.PSSH:
            return pssh(stage, line, stage.ground.lab.addresses.values())
        case Tool.RSYNC:
            raise ValueError("rsync runs no commands")


def copy(stage: Stage, tool: Tool, *, dry: bool = False, then: str = "") -> tuple[str, ...]:
    """The tree to all hosts; `then`: a command on each, afterwards (with rsync: before)."""
    match tool:
        case Tool.MULTIALL:
            return multiall(stage, "pool", "plan" if dry else "sync", "web", *([] if dry else ["--yes"]))
        case Tool.ANSIBLE:
            tasks = f"  - copy: {{src: '{stage.tree}/', dest: /srv/www/}}\n"
            tasks += f"  - shell: {json.dumps(then)}\n" if then else ""
            play = stage.file("play.yml", f"- hosts: web\n  gather_facts: false\n  tasks:\n{tasks}")
            return ansible(stage, *(["--check", "--diff"] if dry else []), str(play), program="ansible-playbook")
        case Tool.PYINFRA:
            operations = f"files.sync(src={str(stage.tree)!r}, dest='/srv/www')\n"
            operations += f"server.shell(commands=[{then!r}])\n" if then else ""
            deploy = stage.file("deploy.py", f"from pyinfra.operations import files, server\n{operations}")
            return tuple("--dry" if dry and word == "--yes" else word for word in pyinfra(stage, str(deploy)))
        case Tool.CLUSTERSHELL:
            return clush(stage, "-w", ",".join(stage.names), "--copy", str(stage.tree), "--dest", "/srv/")
        case Tool.RSYNC:
            return each(stage, stage.names, *(["-ni"] if dry else []), f"--rsync-path={then or 'true'}; rsync")
        case Tool.PSSH:
            raise ValueError("parallel-ssh copies file by file")
