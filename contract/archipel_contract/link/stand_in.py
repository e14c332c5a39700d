"""Puts off loading a module of the standard library that others name at their start and that is never used here.

For `mqtt`: paho names `urllib.request` for proxies of its own way of connecting, which is never taken, and with it come a
megabyte of compressors, temporary files and protocols that an agent would hold for years.
"""

import importlib
import sys
from types import ModuleType


class _StandIn(ModuleType):
    """Becomes the module it stands for as soon as anything of it is asked for, by whomever."""

    def __getattr__(self, name: str) -> object:
        if name.startswith(
            "__"
        ):  # the import system looks at these, and finds that there is nothing to wait for
            raise AttributeError(name)
        return getattr(_real(self), name)


def stand_in_for(name: str) -> None:
    """Have `import name` load nothing until something of the module is used; one that is loaded stays as it is."""
    if name in sys.modules:
        return
    package, _, last = name.rpartition(".")
    made = _StandIn(name)
    setattr(importlib.import_module(package), last, made)
    sys.modules[name] = made


def _real(stand_in: ModuleType) -> ModuleType:
    """Return the module itself, which then is in the place of what stood for it."""
    name = stand_in.__name__
    if sys.modules.get(name) is stand_in:  # else another thread was first
        sys.modules.pop(name, None)
    return importlib.import_module(name)
