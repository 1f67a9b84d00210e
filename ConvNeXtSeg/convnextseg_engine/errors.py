"""Errors that a person can act on.

Every error that may reach a user carries three sentences: what happened (``message``), why
(``reason``) and what to do next (``remedy``). The command line turns ``exit_status`` into its exit
status; the worker sends ``to_dict()`` to the panel. A traceback is never the message itself.
"""

from __future__ import annotations

import errno

# A full, write-protected, forbidden or broken disk, a network drive that is gone and an impossible path are for the
# user to mend; every other OSError is a bug of ours.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_DISK_REFUSALS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.ESTALE,
    errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH,
}  # fmt: skip


def sentence(text: str) -> str:
    """Return ``text`` with a full stop, which what a library says as a reason often lacks."""
    return text if text.endswith((".", "!", "?", "…", ".”")) else f"{text}."


class ConvNeXtSegError(Exception):
    """Base of all errors with a message for the user.

    Args:
        message: What happened, one plain sentence.
        reason: Why, in plain words; may be empty if the message says it.
        remedy: What the user can do next.
        code: A stable machine-readable name such as ``"grid-mismatch"``; the class default otherwise.
    """

    exit_status = 1
    code = "internal"

    def __init__(self, message: str, *, reason: str = "", remedy: str = "", code: str | None = None):
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return " ".join(sentence(part) for part in (self.message, self.reason, self.remedy) if part)

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields that the worker protocol and ``--json`` output carry."""
        return {
            "code": self.code,
            "message": self.message,
            "reason": self.reason,
            "remedy": self.remedy,
            "exit_status": self.exit_status,
        }


class InputError(ConvNeXtSegError):
    """The user's input cannot be used as it is (exit status 2)."""

    exit_status = 2
    code = "input"


class RunCancelled(ConvNeXtSegError):
    """The user cancelled the run (exit status 3)."""

    exit_status = 3
    code = "cancelled"

    def __init__(self, message: str = "The run was cancelled.", **fields: str):
        fields.setdefault("remedy", "Nothing was changed. Start it again when you are ready.")
        super().__init__(message, **fields)


class ResourceError(ConvNeXtSegError):
    """Memory or the device did not suffice (exit status 4)."""

    exit_status = 4
    code = "resource"


def describe(error: BaseException) -> ConvNeXtSegError:
    """Return ``error`` itself if it is ours, otherwise a bug report in the same three parts."""
    if isinstance(error, ConvNeXtSegError):
        return error
    if isinstance(error, (MemoryError,)) or "out of memory" in str(error).lower():
        return ResourceError(
            "There was not enough memory for this run.",
            reason=str(error).splitlines()[0] if str(error) else "",
            remedy="Close other programs, or choose the CPU as device, and try again.",
            code="out-of-memory",
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL | _DISK_REFUSALS:
        reason = f"{error.strerror}: {error.filename}." if error.filename else f"{error.strerror}."
        if error.errno in DISK_FULL:
            return ResourceError(
                "The disk is full.", reason=reason, remedy="Make room and try again.", code="disk-full"
            )  # fmt: skip
        return InputError(
            "A file or folder cannot be used." if error.errno != errno.EIO else "The disk reported an error.",
            reason=reason,
            remedy="Check that it is there and that you may use it, or choose another one, and try again.",
            code="disk",
        )
    first_line = str(error).splitlines()[0] if str(error) else ""
    return ConvNeXtSegError(
        "Something went wrong inside ConvNeXtSeg; this is a bug of ours.",
        reason=f"{type(error).__name__}: {first_line}",
        remedy="Please report it with the technical details.",
    )
