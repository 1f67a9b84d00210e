"""Names of channels as a person writes them, and as a model or case set has them: “T1ce” and “T1c” are one sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import InputError
from .named_files import check_channel_names


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
    from ..images.sequences.assign import kind_of_channel

    names = list(names)
    taken = {name for name in names if name in known}
    meant: dict[str, str] = {}
    for name in names:
        if name in known:
            continue
        kind = kind_of_channel(name)
        alike = [channel for channel in known if channel.lower() == name.lower()]
        alike = alike or [channel for channel in known if kind and kind_of_channel(channel) == kind]
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
