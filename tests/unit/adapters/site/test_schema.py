"""The shipped JSON Schemas."""

import json

import pytest

from multiall_cli.adapters.site.read import shipped
from multiall_cli.adapters.site.schema import schemas


@pytest.mark.parametrize(("file", "text"), schemas().items())
def test_the_shipped_schema_is_up_to_date(file, text):
    advice = "run `python -m multiall_cli.adapters.site.schema inventory`"
    assert shipped(f"inventory/{file}").read_text("utf-8") == text, advice


def test_a_schema_names_and_describes_what_can_be_written():
    inventory = json.loads(schemas()["schema.json"])
    assert inventory["title"] == "MultiAll inventory"
    assert inventory["$defs"]["files"]["required"] == ["path", "source"]
    assert inventory["$defs"]["ssh"]["properties"]["port"]["description"].endswith("Written as a port from 1 to 65535.")
    assert "Shape" not in schemas()["schema.json"]
