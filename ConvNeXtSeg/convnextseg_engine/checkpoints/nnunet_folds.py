"""Which of a results folder's folds are read."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError


def chosen_folds(folder: Path, names: tuple[str, ...], wanted: tuple[str, ...] | None) -> tuple[list[Path], list[str]]:
    """Return one checkpoint a fold, and notes on what was chosen.

    As in nnU-Net, all numbered folds are taken, or ``fold_all`` if there is no other.

    Args:
        folder: Holds ``fold_0``, ``fold_1``, … or ``all``.
        names: Names of checkpoints, the best choice first.
        wanted: Folds that the user names, such as ``("0", "3")`` or ``("all",)``; None: as above.

    Raises:
        InputError: If a fold that was named, or any, has no checkpoint.
    """
    found = {}
    for fold in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        files = [fold / name for name in names if (fold / name).is_file()]
        if files and (fold.name.startswith("fold_") or fold.name == "all"):
            found[fold.name.removeprefix("fold_")] = files[0]
    if wanted is not None:
        missing = [fold for fold in wanted if fold not in found]
        if missing:
            raise InputError(
                f"The fold {', '.join(missing)} is not there.",
                reason=f"{folder.name} has {', '.join(found) or 'no fold with a checkpoint'}.",
                remedy="Choose among these folds, or leave the choice out to take all of them.",
                code="no-fold",
            )
        taken = {fold: found[fold] for fold in dict.fromkeys(wanted)}
    else:
        taken = {fold: file for fold, file in found.items() if fold != "all"} or found
    if not taken:
        raise InputError(
            f"{folder.name} has no trained fold.",
            reason=f"No folder fold_* holds {' or '.join(names)}.",
            remedy="Take the folder from its source again, with its checkpoints.",
            code="no-fold",
        )
    notes = [
        f"Folds: {', '.join(taken)}; their results are averaged." if len(taken) > 1 else f"Fold: {next(iter(taken))}."
    ]
    unfinished = [fold for fold, file in taken.items() if file.name != names[0]]
    if unfinished:
        notes.append(f"Of fold {', '.join(unfinished)} there is no {names[0]}; {taken[unfinished[0]].name} was taken.")
    return list(taken.values()), notes
