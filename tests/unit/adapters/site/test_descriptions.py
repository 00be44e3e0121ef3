"""Every key of a site's files says in the schemas, and so in the reference, what it means."""

import json

from multiall_cli.adapters.site.json_schema import schemas


def test_every_key_says_what_it_means() -> None:
    """A key without words would be a row without words in the reference."""
    silent = [
        f"{kind}.{key}"
        for text in schemas().values()
        for kind, definition in json.loads(text)["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []
