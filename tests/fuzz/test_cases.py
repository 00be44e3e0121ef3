"""The budget: what the properties of all doors are tried with together."""

from importlib import import_module
from pathlib import Path

from tests.fuzz.cases import BUDGET, FLOOR


def test_all_doors_together_are_tried_with_enough_cases() -> None:
    for file in Path(__file__).parent.glob("test_*.py"):
        import_module(f"tests.fuzz.{file.stem}")
    assert sum(BUDGET.values()) >= FLOOR
