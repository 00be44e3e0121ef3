"""JSON Schemas of site files, for completion in editors: generated from the shapes, shipped in inventory/."""

import json
import sys
from pathlib import Path

import msgspec

from multiall_cli.adapters.site.descriptions import MEANINGS
from multiall_cli.adapters.site.schema import InventoryShape, PackShape, SettingsShape
from multiall_cli.planning.checks import CHECKS, Check
from multiall_cli.planning.rules import keys_of

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_FILES: dict[str, tuple[type, str]] = {
    "schema.json": (InventoryShape, "MultiAll inventory"),
    "settings.schema.json": (SettingsShape, "MultiAll settings"),
    "pack.schema.json": (PackShape, "MultiAll baseline pack"),
}


def schemas() -> dict[str, str]:
    """Return file name → JSON Schema; the same shapes give the same text."""
    return {file: _schema(shape, title) for file, (shape, title) in _FILES.items()}


def _rule() -> dict[str, object]:
    """Return the keys of a rule: those of its check, and those of every rule."""
    cases = [
        {
            "if": {"properties": {"check": {"const": name}}, "required": ["check"]},
            "then": {
                "required": list(check.subject),
                "propertyNames": {"enum": sorted(keys_of(check))},
                "properties": _keys(check),
            },
        }
        for name, check in CHECKS.items()
        if not check.ours
    ]
    names = [name for name, check in CHECKS.items() if not check.ours]
    return {"properties": {"check": {"enum": names}}, "allOf": cases}


def _keys(check: Check) -> dict[str, dict[str, str]]:
    arguments = {
        key: {"description": f"Written as {kind}."} for key, kind in {**check.subject, **check.optional}.items()
    }
    values = {key: {"description": f"{each.means}; written as {each.measure}."} for key, each in check.values.items()}
    return {**arguments, **values}


def _schema(shape: type, title: str) -> str:
    (top,), components = msgspec.json.schema_components([shape], ref_template="#/$defs/{name}")
    names = {name: name.removesuffix("Shape").lower() for name in components}
    for name, component in components.items():
        for key, value in component.get("properties", {}).items():
            if words := MEANINGS.get(name, {}).get(key):
                form = value.get("description")
                value["description"] = f"{words} Written as {form}." if form else words
    if shape is PackShape:
        rules = components[PackShape.__name__]["properties"]["rules"]
        table = next(each for each in rules["anyOf"] if each.get("type") == "object")
        table["additionalProperties"].update(_rule())
    schema = {"$schema": _DRAFT, "title": title, **top, "$defs": components}
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    for name, plain in names.items():
        text = text.replace(f'"{name}"', f'"{plain}"').replace(f"#/$defs/{name}", f"#/$defs/{plain}")
    return text + "\n"


if __name__ == "__main__":
    for file, text in schemas().items():
        (Path(sys.argv[1]) / file).write_text(text, "utf-8")
