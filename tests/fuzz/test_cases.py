"""The budget: what the properties of all doors are tried with together."""

from importlib import import_module
from pathlib import Path

from tests.fuzz.cases import FLOOR


def _properties() -> dict[str, int]:
    """Each property of this folder with how many cases it is tried with."""
    found = {}
    for file in Path(__file__).parent.glob("test_*.py"):
        module = import_module(f"tests.fuzz.{file.stem}")
        for name, test in vars(module).items():
            if getattr(test, "is_hypothesis_test", False):
                found[f"{file.stem}.{name}"] = test._hypothesis_internal_use_settings.max_examples
    return found


def test_all_doors_together_are_tried_with_enough_cases() -> None:
    assert sum(_properties().values()) >= FLOOR
