"""Begins a site: an inventory, the guards and the settings, in a folder of their own."""

import os
from pathlib import Path

from multiall_cli.adapters.site.imports import ImportResult, import_ssh_config, render
from multiall_cli.adapters.site.json_schema import schemas
from multiall_cli.adapters.site.read import GUARDS, SETTINGS, built_in
from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets.ranges import shown

_SITE = "inventory/site.yaml"
_MODELINE = "# yaml-language-server: $schema={}"

_SETTINGS = f"""\
{_MODELINE.format("inventory/settings.schema.json")}
#
# What holds for every run of this site. All of it may stay as it is.

# Servers that are worked on at a time.
# parallel: 32
# How long to wait for a connection, and for a server that says nothing.
# connect_timeout: 10s
# timeout: 60s
# Where the journal and the outbox are kept, instead of in the user's state folder.
# store: ./state
# How patient `multiall topology` is, and what answers as long as our own network is there.
# topology:
#   window: 22.25s
#   sentinels: [192.0.2.1]
"""

_POOLS = """
# Next: put servers that are to be the same into a pool, for example:
#
# pools:
#   web:
#     members: [web1, web2]
#     files:
#       - {path: /srv/www, source: ./trees/www, owner: www-data}
"""


def create_site(directory: Path, ssh_config: Path | None) -> list[Path]:
    """Writes a new site and returns its files. Servers are those of `ssh_config`; without any, a commented example.

    Nothing is overwritten. Errors: UsageError where the folder has a site's file already or cannot be written,
    InputFaults where `ssh_config` is there and cannot be read.
    """
    imported = import_ssh_config(ssh_config) if ssh_config and ssh_config.exists() else ImportResult(())
    texts = {
        _SITE: _from_ssh(imported) if imported.servers else _example(),
        GUARDS: built_in(GUARDS).read_text("utf-8"),
        SETTINGS: _SETTINGS,
        **{f"inventory/{file}": text for file, text in schemas().items()},
    }
    for file in texts:
        if os.path.lexists(directory / file):
            todo = "name another folder, or edit the site that is there"
            raise UsageError("init", f"{shown(str(directory))} has {file} already", todo)
    try:
        return [_write(directory / file, text) for file, text in texts.items()]
    except OSError as error:
        todo = "name a folder that you may write to"
        raise UsageError("init", f"{shown(str(error.filename))}: {error.strerror}", todo) from None


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # "x": a file that came into being meanwhile is left alone.
    with path.open("x", encoding="utf-8") as opened:
        opened.write(text)
    return path


def _from_ssh(imported: ImportResult) -> str:
    left = [f"#   line {dropped.origin.line}: {dropped.what}" for dropped in imported.dropped]
    told = ["", "# Not taken over from ~/.ssh/config:", *left] if left else []
    title = f"{_MODELINE[2:].format('schema.json')}\n\nThe servers of ~/.ssh/config."
    return render(imported, title) + _POOLS + "\n".join(told) + ("\n" if told else "")


def _example() -> str:
    lines = built_in("inventory/example.yaml").read_text("utf-8").splitlines()
    commented = [line if line.startswith("#") else f"# {line}".rstrip() for line in lines]
    return "\n".join((*commented, "", "servers: {}", "pools: {}")) + "\n"
