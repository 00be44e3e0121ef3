"""Who is meant: nobody, a range, and an inventory that cannot be read."""

from dataclasses import replace

from tests.comparison import tools
from tests.comparison.case import Case, Tool
from tests.comparison.seen import Seen, did, executed, exits, expect, harmless, says, silent
from tests.comparison.stage import RAN, Stage

TOUCH = f"touch {RAN}"


def empty(stage: Stage, tool: Tool) -> Seen:
    """A group that has no server."""
    argv = {
        Tool.MULTIALL: tools.multiall(stage, "exec", "rack=r9", "--", "sh", "-c", TOUCH),
        Tool.ANSIBLE: tools.ansible(stage, "db", "-a", TOUCH),
        Tool.PYINFRA: tools.pyinfra(stage, "--limit", "db", "exec", "--", TOUCH),
        Tool.CLUSTERSHELL: tools.clush(stage, "-w", "@db", TOUCH),
        Tool.PSSH: tools.pssh(stage, TOUCH, []),
        Tool.RSYNC: tools.each(stage, []),
    }[tool]
    return stage.effect(stage.run(*argv))


def ranges(stage: Stage, tool: Tool) -> Seen:
    """web1 to web3, and db01 to db03 with their zeros."""
    site = "servers:\n  web[1-3]:\n    address: 192.0.2.[1-3]\n  db[01-03]:\n    address: 192.0.2.[4-6]\n"
    argv: dict[Tool, tuple[str, ...]] = {
        Tool.MULTIALL: tools.multiall(stage, "server", "list", "-o", "name"),
        Tool.ANSIBLE: tools.ansible(stage, "all", "--list-hosts", inventory=["good.ini", "bad.ini"]),
        Tool.PYINFRA: ("pyinfra", "--yes", "web[1-3],db[01-03]", "debug-inventory"),
        Tool.CLUSTERSHELL: ("nodeset", "-e", "web[1-3],db[01-03]"),
        Tool.RSYNC: ("bash", "-c", "for server in web{1..3} db{01..03}; do echo $server; done"),
    }
    if tool is Tool.MULTIALL:
        (stage.ground.root / "inventory/all.yaml").write_text(site)
    stage.file("good.ini", "web[1:3]\ndb[01:03]\n")
    stage.file("bad.ini", "app[1-3]\n")
    return stage.run(*argv[tool])


def broken_inventory(stage: Stage, tool: Tool) -> Seen:
    """One file of two cannot be read."""
    broken = "web:\n  hosts:\n    web1: {\n"
    match tool:
        case Tool.MULTIALL:
            (stage.ground.root / "inventory/broken.yaml").write_text("servers:\n  db1: {\n")
            argv = tools.command(stage, tool, TOUCH)
        case Tool.ANSIBLE:
            stage.file("broken.yaml", broken)
            tools.ansible(stage)
            argv = tools.ansible(stage, "all", "-m", "shell", "-a", TOUCH, inventory=["broken.yaml", "hosts.ini"])
        case Tool.PYINFRA:
            stage.file("broken.py", "web = ['web1',\ndb = 1\n")
            argv = ("pyinfra", "--yes", "broken.py", "exec", "--", TOUCH)
        case _:
            stage.file("groups/broken.yaml", broken)
            stage.file("groups.conf", f"[Main]\ndefault: local\nautodir: {stage.folder}/groups\n")
            argv = tools.clush(stage, "--groupsconf", "groups.conf", "-w", "@web:web", TOUCH)
    return stage.effect(stage.run(*argv))


def broken_declaration(stage: Stage, tool: Tool) -> Seen:
    """What is to be done cannot be read."""
    match tool:
        case Tool.MULTIALL:
            (stage.ground.root / "inventory/more.yaml").write_text("pools:\n  db:\n    members: [web1\n    files: []\n")
            argv = tools.copy(stage, tool)
        case Tool.ANSIBLE:
            argv = tools.copy(stage, tool)
            stage.file("play.yml", "- hosts: web\n  tasks:\n  - command: 'x\n  - command: y\n")
        case _:
            argv = tools.copy(stage, tool)
            stage.file("deploy.py", "from pyinfra.operations import files\nfiles.sync(src='x',\n")
    return stage.effect(stage.run(*argv), "/srv/www/page")


def option(stage: Stage, tool: Tool) -> Seen:
    """The address is an option of ssh that runs a command on the admin's machine."""
    address = "-oProxyCommand=touch${IFS}trap"
    stage.file("trap.yaml", f"web:\n  hosts:\n    web1: {{ansible_host: '{address}'}}\n")
    stage.file("trap.py", f"web = [{address!r}]\n")
    stage.file("trap.txt", f"{address}\n")
    stage.ground.write({"web1": {"address": address}})
    # What ssh then takes for the host's name is the command: one word passes for one.
    argv = {
        Tool.MULTIALL: tools.multiall(stage, "exec", "web1", "--", "uptime"),
        Tool.ANSIBLE: tools.ansible(stage, "web", "-m", "raw", "-a", "uptime", inventory=["trap.yaml"]),
        Tool.PYINFRA: ("pyinfra", "--yes", "trap.py", "exec", "--", "uptime"),
        Tool.CLUSTERSHELL: tools.clush(stage, "-S", "--hostfile", "trap.txt", "uptime"),
        Tool.PSSH: tools.pssh(stage, "uptime", [address]),
        Tool.RSYNC: tools.each(stage, [f"'{address}'"]),
    }[tool]
    return replace(stage.run(*argv), executed=(stage.folder / "trap").exists())


CASES = (
    Case("empty", "the target matches no server", empty, {
        Tool.MULTIALL: expect("exit 2, and it says so", exits(2), says("rack=r9.* match"), did()),
        Tool.ANSIBLE: expect(
            "a warning, exit 0 (1 with `host_pattern_mismatch=error`)", exits(0), says("No hosts matched"), did()
        ),
        Tool.PYINFRA: expect("a warning, exit 0", exits(0), says("No host matches found"), did()),
        Tool.CLUSTERSHELL: expect("exit 2, and it says so", exits(2), says("No node to run on"), did()),
        Tool.PSSH: expect("nothing runs, nothing is raised", exits(0), silent(), did()),
        Tool.RSYNC: expect("nothing, exit 0", exits(0), silent(), did()),
    }),
    Case("ranges", "ranges of names, with zeros", ranges, {
        Tool.MULTIALL: expect("`web[1-3]`, `db[01-03]`", exits(0), says(r"(?s)web1.*web3.*db01.*db03")),
        Tool.ANSIBLE: expect(
            "`web[1:3]`, `db[01:03]`; of `app[1-3]` it warns, leaves out that file and exits 0",
            exits(0), says("(?s)web1.*web3.*db01.*db03"), says("host range must be begin:end"), silent(r"\bapp2\b"),
        ),
        Tool.PYINFRA: expect("none: an inventory is Python", silent(r"\bweb2\b")),
        Tool.CLUSTERSHELL: expect("`web[1-3]`, `db[01-03]`", exits(0), says("db01 db02 db03 web1 web2 web3")),
        Tool.RSYNC: expect("the shell's: `db{01..03}`", exits(0), says(r"(?s)web1\n.*db01\n")),
    }),
    Case("broken-inventory", "one inventory file cannot be read", broken_inventory, {
        Tool.MULTIALL: expect(
            "`file:line:col`, exit 2, nothing runs", exits(2), says(r"broken\.yaml:\d+:\d+: "), did()
        ),
        Tool.ANSIBLE: expect(
            "`file:line:col` as a warning; it goes on with the other files, exit 0 (1 with `any_unparsed_is_failed`)",
            exits(0), says(r"broken\.yaml:\d+:\d+"), did("web1", "web2", "web3"),
        ),
        Tool.PYINFRA: expect("file and line, exit 1, nothing runs", exits(1), says(r'broken\.py", line 1'), did()),
        Tool.CLUSTERSHELL: expect(
            "file, line and column, exit 1, nothing runs", exits(1), says(r'broken\.yaml", line \d+, column \d+'), did()
        ),
    }),
    Case("broken-declaration", "what is to be done cannot be read", broken_declaration, {
        Tool.MULTIALL: expect("`file:line:col`, exit 2, nothing runs", exits(2), says(r"more\.yaml:\d+:\d+: "), did()),
        Tool.ANSIBLE: expect("`file:line:col`, exit 4, nothing runs", exits(4), says(r"play\.yml:\d+:\d+"), did()),
        Tool.PYINFRA: expect("file and line, exit 1, nothing runs", exits(1), says(r'deploy\.py", line 2'), did()),
    }),
    Case("option", "a server's address is `-oProxyCommand=…`", option, {
        Tool.MULTIALL: expect("refused with `file:line:col`, exit 2", exits(2), harmless, says(r"all\.yaml:\d+:\d+: ")),
        Tool.ANSIBLE: expect("**its command is executed here** (`-m raw -a uptime`), exit 4", exits(4), executed),
        Tool.PYINFRA: expect("not executed: no such name, exit 1", exits(1), harmless, says("Could not resolve")),
        Tool.CLUSTERSHELL: expect("**its command is executed here**, exit 255 with `-S`", exits(255), executed),
        Tool.PSSH: expect("not executed: no such name", exits(1), harmless, says("UnknownHostError")),
        Tool.RSYNC: expect("not executed: read as options of rsync, exit 1", exits(1), harmless),
    }),
)  # fmt: skip
