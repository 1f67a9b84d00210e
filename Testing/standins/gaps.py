"""A member that Slicer has and these stand-ins do not imitate yet: an error of its own, never a silent success."""

from __future__ import annotations


class StandInGap(NotImplementedError):
    """The call is legal in Slicer; write it in ``Testing/standins`` before a test relies on it."""

    def __init__(self, class_name: str, member: str) -> None:
        super().__init__(f"Slicer has {class_name}.{member}, Testing/standins does not imitate it yet")


class GapMember:
    """Class attribute that stands for a listed, unimplemented member."""

    def __init__(self, class_name: str, member: str) -> None:
        self._where = (class_name, member)

    def __get__(self, instance: object, owner: type) -> None:
        raise StandInGap(*self._where)

    def __set__(self, instance: object, value: object) -> None:
        raise StandInGap(*self._where)
