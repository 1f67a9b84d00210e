"""Choose an overload as PythonQt does: by number of arguments, strictly first, then leniently (rules 14, 32)."""

from __future__ import annotations

from standins.cpp_types import Mismatch, coerce
from standins.surface import Overloads


def refuse_keywords(class_name: str, name: str, keywords: dict) -> None:
    """Wrapped calls know no keyword arguments (rule 14)."""
    if keywords:
        raise ValueError(f"Called {class_name}.{name} with keyword arguments, but called slot does not support kwargs.")


def convert(class_name: str, name: str, overloads: Overloads, arguments: tuple) -> list:
    """The arguments as PySide6 wants them.

    Raises:
        ValueError: no overload takes them; the message lists what there is.
    """
    fitting = [types for types in overloads if _takes(types, len(arguments))]
    for strict in (True, False):
        for types in fitting:
            try:
                return [
                    coerce(value, cpp_type.rstrip("="), strict, class_name)
                    for value, cpp_type in zip(arguments, types, strict=False)
                ]
            except Mismatch:
                continue
    listed = "\n".join(f"{name}({', '.join(types)})" for types in overloads)
    if len(overloads) > 1:
        raise ValueError(
            f"Could not find matching overload for given arguments:\n{arguments}\n"
            f" The following slots are available:\n{listed}"
        )
    what = "arguments" if fitting else "number of arguments"
    raise ValueError(f"Called {class_name}.{listed} with wrong {what}: {arguments}")


def _takes(types: tuple[str, ...], count: int) -> bool:
    required = sum(not cpp_type.endswith("=") for cpp_type in types)
    return required <= count <= len(types)
