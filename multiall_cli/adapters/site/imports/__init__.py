"""Imports inventories of other tools as data: nothing in them is evaluated or run."""

from multiall_cli.adapters.site.imports.ansible import import_ansible
from multiall_cli.adapters.site.imports.result import ImportResult, SkippedEntry, render
from multiall_cli.adapters.site.imports.ssh_config import import_ssh_config

__all__ = ["ImportResult", "SkippedEntry", "import_ansible", "import_ssh_config", "render"]
