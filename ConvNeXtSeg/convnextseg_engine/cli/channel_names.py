"""Names of channels as a person writes them, and as a model or case set has them: “T1ce” and “T1c” are one sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from .named_files import check_channel_names, chosen_reference


def as_known(names: Iterable[str], known: Sequence[str], of: str, *, others: bool = False) -> dict[str, str]:
    """Return, for each name that is spelled otherwise, the channel that is meant.

    A name means a channel if they differ in upper and lower case only, or if the vocabulary of sequences (see
    docs/sequences.md) knows both as the same kind of image and no other channel is of that kind.

    Args:
        names: As given.
        known: Channels of the model or case set.
        of: What has these channels, in words.
        others: Whether channels that are not known may be given besides.

    Raises:
        InputError: If a name means none of the channels, or it is not clear which; the error lists them.
    """
    names = list(names)
    taken = {name for name in names if name in known}
    meant: dict[str, str] = {}
    for name in names:
        if name in known:
            continue
        alike = _alike(name, known)
        if not alike and others:
            continue
        if not alike:
            check_channel_names([name], known, of)
        if len(alike) > 1 or alike[0] in taken:
            several = len(alike) > 1
            raise InputError(
                f"It is not clear which channel --image {name}=… is.",
                reason=f"{' and '.join(alike)} are of the same kind; {of} takes {', '.join(known)}."
                if several
                else f"It means {alike[0]}, for which another image is given; {of} takes {', '.join(known)}.",
                remedy=f"Write the channel's own name, for example --image {alike[0]}=FILE, once for each.",
                code="unknown-channel",
            )
        meant[name] = alike[0]
        taken.add(alike[0])
    return meant


def reference_as_known(wanted: str, given: Iterable[str], known: Sequence[str] = ()) -> str:
    """Return which of the channels that are given ``--reference`` means, or what was written if it means none.

    Args:
        wanted: As written; another spelling of the same sequence will do.
        given: Channels that there are, by the names that they are known by.
        known: Channels of the model: a name that is one of these means no other.

    Raises:
        InputError: If it is not clear which.
    """
    given = list(given)
    if wanted in given or wanted in known:
        return wanted
    alike = _alike(wanted, given)
    if len(alike) > 1:
        raise InputError(
            f"It is not clear which channel --reference {wanted} is.",
            reason=f"{' and '.join(alike)} are of the same kind.",
            remedy=f"Write the channel's own name, for example --reference {alike[0]}.",
            code="no-reference",
        )
    return alike[0] if alike else wanted


def reference_of(
    wanted: str | None, files: dict[str, Path], known: Sequence[str], renamed: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the reference channel, and ``renamed`` with how ``--reference`` was understood.

    Args:
        wanted: As written, if it was.
        files: By channel, as the model knows them.
        known: Channels of the model.
        renamed: How the names of the channels were understood.

    Raises:
        InputError: If it is none of the given channels, or it is not clear which.
    """
    if wanted is None:
        return chosen_reference(None, files), renamed
    meant = chosen_reference(reference_as_known(renamed.get(wanted, wanted), files, known), files)
    return meant, renamed | ({} if meant == wanted else {wanted: meant})


def names_told(renamed: Mapping[str, str]) -> list[str]:
    """Return a line for each name that was taken as another channel."""
    return [f"{written} was taken as {meant}: the same kind of image." for written, meant in renamed.items()]


def _alike(name: str, known: Iterable[str]) -> list[str]:
    """Return the channels that are the same but for upper and lower case, or else of the same kind."""
    from ..images.sequences.assign import kind_of_channel

    known, kind = list(known), kind_of_channel(name)
    alike = [channel for channel in known if channel.lower() == name.lower()]
    return alike or [channel for channel in known if kind and kind_of_channel(channel) == kind]
