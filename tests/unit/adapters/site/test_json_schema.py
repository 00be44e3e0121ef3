"""The JSON Schemas in inventory/."""

import json

import pytest

from multiall_cli.adapters.site.json_schema import schemas
from multiall_cli.adapters.site.read import built_in


@pytest.mark.parametrize(("file", "text"), schemas().items())
def test_the_schema_is_up_to_date(file, text):
    advice = "run `python -m multiall_cli.adapters.site.json_schema inventory`"
    assert built_in(f"inventory/{file}").read_text("utf-8") == text, advice


def test_the_schema_of_packs_knows_the_keys_of_each_check():
    rule = json.loads(schemas()["pack.schema.json"])["$defs"]["pack"]["properties"]["rules"]["anyOf"][0]
    cases = {each["if"]["properties"]["check"]["const"]: each["then"] for each in rule["additionalProperties"]["allOf"]}
    assert cases["disk"]["required"] == ["path"]
    assert {"used", "path", "for", "remedy"} <= set(cases["disk"]["propertyNames"]["enum"])
    assert "drift" not in cases, "no rule asks for it"


def test_a_schema_names_and_describes_all_keys():
    inventory = json.loads(schemas()["schema.json"])
    assert inventory["title"] == "MultiAll inventory"
    assert inventory["$defs"]["files"]["required"] == ["path", "source"]
    assert inventory["$defs"]["ssh"]["properties"]["port"]["description"].endswith("Written as a port from 1 to 65535.")
    assert "Shape" not in schemas()["schema.json"]
