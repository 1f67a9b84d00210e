"""Files that a person names on the command line: paths, and options of the form ``CHANNEL=FILE``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import InputError
from ..images.colour import component_of


def given_path(option: str, text: str) -> Path:
    """Return the path that ``text`` names, with ``~`` replaced by the user's folder; it need not exist.

    Args:
        option: What it was given for, for example ``--output``.
        text: As typed.

    Raises:
        InputError: If it is empty, names an unknown user's folder, is not text, or the system refuses to look it up.
    """
    if not text:
        raise _unusable(option, text, "It is empty.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        # ITK ends the whole process when it is given such a name.
        reason = "Its name is not Unicode text, as on disks that were written by an old system."
        raise _unusable(option, text, reason, "Rename the file or folder.") from error
    try:
        path = Path(text).expanduser()
        path.stat()
    except RuntimeError as error:
        raise _unusable(option, text, "There is no such user on this computer.") from error
    except (FileNotFoundError, NotADirectoryError):
        pass  # whether it must exist, the caller knows
    except (OSError, ValueError) as error:
        reason = f"The system says: {getattr(error, 'strerror', None) or error}."
        raise _unusable(option, text, reason) from error
    return path


def named_files(option: str, values: Iterable[str]) -> dict[str, Path]:
    """Return channel name to existing file or folder, in the order given.

    Raises:
        InputError: If a value is not ``NAME=FILE``, a name or file is given twice, or a file does not exist.
    """
    found: dict[str, Path] = {}
    for value in values:
        name, equals, file = value.partition("=")
        name = name.strip()
        if not (name and equals and file):
            raise InputError(
                f"“{option} {value}” does not say which channel the file is.",
                remedy=f"Write {option} NAME=FILE, for example {option} T1c=t1c.nii.gz.",
                code="bad-arguments",
            )
        if name in found:
            raise InputError(
                f"The channel {name} is given twice.", remedy="Give each channel one file.", code="channel-twice"
            )
        path = given_path(f"{option} {name}", file)
        # “FOLDER#UID” names one of several DICOM series of a folder.
        if not path.exists() and not Path(str(path).rpartition("#")[0] or path).exists():
            raise InputError(
                f"There is no file or folder {file} for channel {name}.", remedy="Check the path.", code="no-file"
            )
        for other, earlier in found.items():
            colours = component_of(name) is not None and component_of(other) is not None
            if earlier.resolve() == path.resolve() and not colours:  # a photograph has red, green and blue in one file
                raise InputError(
                    f"The same file is given for the channels {other} and {name}.",
                    remedy="Give each channel its own file, and leave out channels that you do not have.",
                    code="file-twice",
                )
        found[name] = path
    return found


def check_channel_names(names: Iterable[str], known: Sequence[str], of: str) -> None:
    """Refuse channels that ``of`` (a model or case set, in words) does not know, and name those that it does."""
    for name in names:
        if name not in known:
            raise InputError(
                f"The channel {name} is not one that {of} knows.",
                reason=f"It takes {', '.join(known)}, in any spelling that names the same kind of image.",
                remedy=f"Write --image {known[0]}=FILE, for example, with one of these names.",
                code="unknown-channel",
            )


def chosen_reference(wanted: str | None, channels: dict[str, Path]) -> str:
    """Return the reference channel: the one that was asked for, or the first given."""
    if wanted is None:
        return next(iter(channels))
    if wanted not in channels:
        raise InputError(
            f"The reference channel {wanted} is not among the given images.",
            reason=f"Given are {', '.join(channels)}.",
            remedy="Choose one of these as reference, or leave the option out to take the first.",
            code="no-reference",
        )
    return wanted


def _unusable(option: str, text: str, reason: str, remedy: str = "Check the path.") -> InputError:
    return InputError(f"{option} “{text}” names no file or folder.", reason=reason, remedy=remedy, code="bad-path")
