"""Import the modules of the bundle from memory, each when it is first needed: nothing is written to a member's disk."""

import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery would load half a dozen modules more

SOURCES = {}  # type: dict[str, str]
"""Module → its source. A package is a name that others continue."""


class BundleFinder(object):
    """Finder and loader of what is in SOURCES, for sys.meta_path."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        is_package = name not in SOURCES and any(each.startswith(name + ".") for each in SOURCES)
        if name not in SOURCES and not is_package:
            return None
        return ModuleSpec(name, BundleFinder, is_package=is_package)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec):
        return None  # an ordinary module

    @staticmethod
    def exec_module(module):
        name = module.__name__
        exec(compile(SOURCES.get(name, ""), name, "exec"), module.__dict__)  # noqa: S102  (the bundle is our own code)


def install(sources):
    """Make the modules of the bundle importable."""
    SOURCES.update(sources)
    sys.meta_path.insert(0, BundleFinder)
