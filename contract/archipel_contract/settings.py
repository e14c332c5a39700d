"""How both programs read their settings: default < file < environment < command line, each value checked with its place.

Called by the `settings` of agent and controller, which say what there is to set and what a value may be. An unknown key or a
value that does not fit is refused: a typing error must not silently become a default.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Check = Callable[[str, object, str], object]
"""Returns a value as the setting of that name takes it; raises SettingsInvalid, which names the place (the third)."""


class SettingsInvalid(Exception):
    """Settings cannot be used; the message names file or variable, key, and what is expected."""


def gathered(
    names: Iterable[str],
    check: Check,
    file: Path | None,
    environment: Mapping[str, str],
    prefix: str,
    flags: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the value of every setting that is given somewhere; raise SettingsInvalid.

    In the environment a setting is called `prefix` and its name in capitals. `flags` with the value None count as not given.
    """
    known = tuple(names)
    values: dict[str, object] = {}
    for name, value in (_read(file) if file else {}).items():
        if name not in known:
            raise SettingsInvalid(f"{file}: unknown key {name!r}; known are {', '.join(sorted(known))}")
        values[name] = check(name, value, f"{file}: {name}")
    for name in known:
        variable = prefix + name.upper()
        text = environment.get(variable)
        if text is not None:
            values[name] = check(name, text, variable)
    for name, flag in (flags or {}).items():
        if flag is not None:
            values[name] = check(name, flag, f"--{name.replace('_', '-')}")
    return values


def _read(path: Path) -> dict[str, object]:
    """Return what a file of settings says, nothing if it is not there; raise SettingsInvalid."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsInvalid(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{path} is not TOML: {error}") from error


def one_of(choices: tuple[str, ...], value: str, place: str) -> str:
    """Return a value that is one of `choices`; raise SettingsInvalid."""
    if value not in choices:
        raise SettingsInvalid(f"{place} must be one of {', '.join(choices)}, not {value!r}")
    return value


def text(value: object, place: str) -> str:
    """Return a value that is text; raise SettingsInvalid."""
    if not isinstance(value, str):
        raise SettingsInvalid(f"{place} must be text in quotes, not {value!r}")
    return value
