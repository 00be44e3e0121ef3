"""Makes a new site: an inventory, guards and settings in a folder."""

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
# Settings for every run of this site. All defaults may stay.

# Number of servers to process in parallel.
# parallel: 32
# Time limits to connect, and for a server that does not respond.
# connect_timeout: 10s
# timeout: 60s
# Folder of journal and backlog, instead of the user's state folder.
# store: ./state
# When `multiall topology` confirms a failure, and addresses that answer whenever our own network works.
# topology:
#   confirm_after: 22.25s
#   sentinels: [192.0.2.1]
"""

_POOLS = """
# Next: put servers that are to be equal into a pool, for example:
#
# pools:
#   web:
#     members: [web1, web2]
#     files:
#       - {path: /srv/www, source: ./trees/www, owner: www-data}
"""


def create_site(directory: Path, ssh_config: Path | None) -> list[Path]:
    """Write a new site and return its files. Servers are those of `ssh_config`; without it, a commented example.

    Nothing is overwritten. Raises UsageError if the folder has a site's file already or cannot be written, InputFaults
    if `ssh_config` exists but cannot be read.
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
            todo = "choose another folder, or edit the existing site"
            raise UsageError("init", f"{shown(str(directory))} already has {file}", todo)
    try:
        return [_write(directory / file, text) for file, text in texts.items()]
    except OSError as error:
        todo = "choose a folder that you may write to"
        raise UsageError("init", f"{shown(str(error.filename))}: {error.strerror}", todo) from None


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # "x": a file that appeared meanwhile is not overwritten.
    with path.open("x", encoding="utf-8") as opened:
        opened.write(text)
    return path


def _from_ssh(imported: ImportResult) -> str:
    skipped_lines = [f"#   line {skipped.origin.line}: {skipped.what}" for skipped in imported.skipped]
    comments = ["", "# Not imported from ~/.ssh/config:", *skipped_lines] if skipped_lines else []
    title = f"{_MODELINE[2:].format('schema.json')}\n\nThe servers of ~/.ssh/config."
    return render(imported, title) + _POOLS + "\n".join(comments) + ("\n" if comments else "")


def _example() -> str:
    lines = built_in("inventory/example.yaml").read_text("utf-8").splitlines()
    commented = [line if line.startswith("#") else f"# {line}".rstrip() for line in lines]
    return "\n".join((*commented, "", "servers: {}", "pools: {}")) + "\n"
