"""Site folders: creation, import, and the schemas of their files."""

from pathlib import Path


def make_site(folder: Path) -> list[Path]:
    """Create a site; return the files written. Raises UsageError if there is one already."""
    from multiall_cli.adapters.site.init import create_site

    config = Path.home() / ".ssh" / "config"
    return create_site(folder, config if config.is_file() else None)


def schemas() -> dict[str, str]:
    """Return the JSON Schemas of a site's files, by name."""
    from multiall_cli.adapters.site.json_schema import schemas as generate

    return generate()


def import_inventory(kind: str, file: Path) -> tuple[str, tuple[str, ...]]:
    """Return another tool's inventory in our format, and what was left out, each with its place.

    Raises UsageError.
    """
    from multiall_cli.adapters.site import imports

    take = {"ssh-config": imports.import_ssh_config, "ansible": imports.import_ansible}[kind]
    found = take(file)
    return imports.render(found, f"imported from {file}"), tuple(str(each) for each in found.skipped)


def to_yaml(value: object, *, ascii_only: bool = False) -> str:
    """Return a plain value as YAML, in its own order."""
    from multiall_cli.adapters.site.dump import dump

    return dump(value, ascii_only=ascii_only)
