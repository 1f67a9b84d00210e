"""The configuration of a MONAI bundle as data.

MONAI evaluates texts that begin with ``$`` as Python and builds whatever ``_target_`` names. Here a configuration is
only read: ``@`` references to plain values are followed, and whatever would have to be evaluated is refused.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..errors import InputError
from .unsafe import DamagedCheckpoint

_LARGEST_FILE = 8 * 2**20
_DEEPEST, _MOST_PARTS = 32, 10_000
_REFERENCE = re.compile(r"@[\w.\-]+(?:(?:#|::)[\w.\-]+)*")
# Keys by which MONAI changes what is built; a description with one of them is not what it seems.
_DIRECTIVES = ("_disabled_", "_requires_", "_mode_", "_wrapper_")


class NotPlain(InputError):
    """A part of the configuration would have to be evaluated."""

    code = "not-plain"

    def __init__(self, where: str, text: str):
        super().__init__(
            f"The bundle's configuration was refused: “{where}” is not a plain value.",
            reason=f"It says “{text[:120]}”, which MONAI would run as a program or build into something; nothing of it "
            "was run.",
            remedy="If you trust its author, write the plain value there, in configs/inference.json, and import again.",
        )


class PlainConfig:
    """A configuration file.

    Args:
        data: The content of the file.
    """

    def __init__(self, data: dict[str, Any]):
        self._data = data

    @classmethod
    def read(cls, path: Path) -> PlainConfig:
        """Read a JSON file; raises :class:`DamagedCheckpoint` if it is none."""
        return cls(read_json(path))

    def has(self, name: str) -> bool:
        """Say whether the configuration has an entry of this name."""
        return name in self._data

    def plain(self, name: str) -> Any:
        """Return an entry with references replaced by what they refer to; None if there is no such entry.

        Raises:
            NotPlain: If a part of it would have to be evaluated.
        """
        if name not in self._data:
            return None
        self._parts = 0
        return self._resolved(self._data[name], name, 0)

    def transforms(self, name: str) -> list[dict[str, Any]]:
        """Return the descriptions of the transforms under ``name``; what is no list of descriptions gives none.

        References and expressions within are left as they are: most are of no concern here, such as a device.
        """
        entry = self._data.get(name)
        listed = entry.get("transforms") if isinstance(entry, dict) else entry
        if isinstance(listed, str) and _REFERENCE.fullmatch(listed):
            listed = self._found(listed[1:])
        listed = listed if isinstance(listed, list) else []
        return [part for part in listed if isinstance(part, dict) and isinstance(part.get("_target_"), str)]

    def plain_part(self, part: Any, where: str) -> Any:
        """Return a part of the configuration, such as a transform, with references replaced; as :meth:`plain`."""
        self._parts = 0
        return self._resolved(part, where, 0)

    def _resolved(self, value: Any, where: str, depth: int) -> Any:
        self._parts += 1
        if depth > _DEEPEST or self._parts > _MOST_PARTS:
            raise NotPlain(where, "references that lead on without end")
        if isinstance(value, dict):
            # Below the top a “_target_” is something to be built as an argument.
            for directive in (*_DIRECTIVES, "_target_") if depth else _DIRECTIVES:
                if directive in value:
                    raise NotPlain(f"{where}#{directive}", str(value[directive]))
            return {key: self._resolved(part, f"{where}#{key}", depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self._resolved(part, f"{where}#{index}", depth + 1) for index, part in enumerate(value)]
        if isinstance(value, str) and value.startswith(("$", "%")):
            raise NotPlain(where, value)
        if isinstance(value, str) and value.startswith("@"):
            if not _REFERENCE.fullmatch(value):
                raise NotPlain(where, value)
            return self._resolved(self._found(value[1:]), value, depth + 1)
        return value

    def _found(self, reference: str) -> Any:
        value: Any = self._data
        for part in re.split("#|::", reference):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                raise NotPlain(f"@{reference}", "a reference to something that is not there")
        return value


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that must hold one object; raises :class:`DamagedCheckpoint` otherwise."""
    if path.stat().st_size > _LARGEST_FILE:
        raise DamagedCheckpoint(path.name, f"It is larger than {_LARGEST_FILE // 2**20} MB, which no configuration is.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DamagedCheckpoint(path.name, f"It is no JSON: {str(error)[:200]}.") from error
    if not isinstance(data, dict):
        raise DamagedCheckpoint(path.name, "It does not hold one object.")
    return data
