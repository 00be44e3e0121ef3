"""Every key of site files has a description in the schemas, and so in the reference."""

import json

from multiall_cli.adapters.site.json_schema import schemas


def test_every_key_has_a_description() -> None:
    """Without one, the reference would have an empty row."""
    silent = [
        f"{kind}.{key}"
        for text in schemas().values()
        for kind, definition in json.loads(text)["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []
