"""``convnextseg cases``: corrected studies on disk, from which a model can learn."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import InputError
from .channel_names import as_known
from .label_options import check_background
from .named_files import chosen_reference, given_path, named_files
from .output import Output, table

if TYPE_CHECKING:
    from ..labels.case import Case
    from ..labels.contract import LabelContract
    from ..labels.findings import Finding
    from ..models.folder import ModelFolder

_SPLITS = ("train", "validation", "test")


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser("cases", help="add, list or check cases to learn from")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_options_of_add(actions.add_parser("add", parents=[common], help="add a case to a set"))
    for name, run, text in (("list", _list, "list the cases of a set"), ("check", _check, "check a set for damage")):
        action = actions.add_parser(name, parents=[common], help=text, description=text.capitalize() + ".")
        action.add_argument("set", metavar="SET", help="folder of the case set")
        action.set_defaults(run=run)


def _add_options_of_add(parser: argparse.ArgumentParser) -> None:
    parser.description = "Add a study and its mask to a case set; a set that does not exist yet is made."
    parser.add_argument("set", metavar="SET", help="folder of the case set")
    parser.add_argument("--case", required=True, metavar="ID", help="name of the case; do not use a patient's name")
    parser.add_argument(
        "--image", required=True, action="append", metavar="C=F",
        help="a channel and its file, or a folder with one DICOM series; once for each channel",
    )  # fmt: skip
    parser.add_argument(
        "--reference", metavar="C", help="channel on whose grid the label lies (default: the first given)"
    )
    parser.add_argument("--label", required=True, metavar="F", help=".seg.nrrd, or an image of integers")
    parser.add_argument(
        "--label-values", metavar="L=N,…",
        help="which integer means which label, for example core=1,edema=2,enhancing=4; needed for an image of integers",
    )  # fmt: skip
    parser.add_argument("--split", default="train", choices=_SPLITS, help="what the case is for (default: train)")
    parser.add_argument(
        "--model",
        metavar="M",
        help="model whose labels a new set takes (default: the labels of --label-values; without them, or if they are "
        "the same, the model that ships)",
    )
    parser.add_argument("--replace", action="store_true", help="replace a case of the same name")
    parser.set_defaults(run=_add)


def _add(arguments: argparse.Namespace, output: Output) -> None:
    files = named_files("--image", arguments.image)
    reference = chosen_reference(arguments.reference, files)
    values = _label_values(arguments.label_values)
    folder, label = given_path("SET", arguments.set), given_path("--label", arguments.label)

    from ..images.colour import component_of
    from ..images.files import read_image
    from ..images.study import Study
    from ..labels.case_set import CaseSet
    from ..labels.label_file import read_label

    exists = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    case_set = CaseSet.open(folder) if exists else None
    own = None if case_set or arguments.model else _own_contract(values)
    renamed: dict[str, str] = {}
    if own is None and (case_set is None or arguments.model):
        model = _model(arguments.model)
        renamed = as_known(files, model.metadata.channels, f"the model {model.spec}")
        if case_set and not case_set.contract.same_labels(model.contract):
            raise InputError(
                f"The case set {folder.name} has other labels than the model {model.spec}.",
                reason=f"It was made with {_names(case_set.contract)}; the model has {_names(model.contract)}.",
                remedy="Leave --model out to keep the set's labels, or choose another folder for a new set.",
                code="other-contract",
            )
    elif case_set:
        # A set may get channels that its earlier cases lack, but one sequence must not lie in it under two names.
        in_use = dict.fromkeys(name for case in case_set.cases() for name in case.channels)
        renamed = as_known(files, tuple(in_use), f"the set {folder.name}", others=True)
    files = {renamed.get(name, name): path for name, path in files.items()}
    reference = renamed.get(reference, reference)
    contract = case_set.contract if case_set else own or model.contract
    study = Study({name: read_image(path, component_of(name)) for name, path in files.items()}, reference)
    mask = read_label(label, contract, study.reference_grid, values)
    # Only now, when everything could be read, does anything appear on disk.
    case_set = case_set or CaseSet.create(folder, contract)
    origin = {"tool": "convnextseg cases add", "engine": __version__}
    case = case_set.add(arguments.case, study, mask, arguments.split, origin, replace=arguments.replace)
    volumes = {
        label.name: float((mask == label.value).sum()) * study.reference_grid.voxel_ml for label in contract.labels
    }
    output.result(
        _described(case)
        | {"renamed": renamed}
        | {"labels": [{"name": name, "volume_ml": round(v, 4)} for name, v in volumes.items()]},
        [
            f"{case.id} was added to {folder} ({case.split}).",
            *(f"{given} is called {name} there, and was added under that name." for given, name in renamed.items()),
            *([f"The set is new and has labels of its own: {_names(own)}."] if own else []),
            *table([[name, f"{volume:.2f} mL"] for name, volume in volumes.items()]),
        ],
    )


def _list(arguments: argparse.Namespace, output: Output) -> None:
    from ..labels.case_set import CaseSet

    cases = [_described(case) for case in CaseSet.open(given_path("SET", arguments.set)).cases()]
    rows = [[case["name"], case["split"], " ".join(case["channels"])] for case in cases]
    output.result(cases, table([["case", "split", "channels"], *rows]) if rows else ["The set has no cases."])


def _check(arguments: argparse.Namespace, output: Output) -> None:
    from ..labels.case_set import CaseSet

    case_set = CaseSet.open(given_path("SET", arguments.set))
    findings = case_set.check()
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        count = f"{len(errors)} problem{'s' if len(errors) > 1 else ''}"
        raise InputError(
            f"The case set has {count} that must be solved before training.",
            reason=" ".join(_told(finding) for finding in errors),
            remedy=" ".join(dict.fromkeys(finding.remedy for finding in errors)),
            code="bad-case-set",
        )
    count = len(case_set.case_folders())
    output.result(
        {"cases": count, "findings": [{"name": f.case, **asdict(f)} for f in findings]},
        [
            *(f"Note: {_told(finding)} {finding.remedy}" for finding in findings),
            f"{count} case{'' if count == 1 else 's'}, ready for training.",
        ],
    )


def _told(finding: Finding) -> str:
    return f"{finding.case}: {finding.message}" if finding.case else finding.message


def _described(case: Case) -> dict[str, Any]:
    return {
        "name": case.id,
        "split": case.split,
        "channels": list(case.channels),
        "reference": case.reference,
        "hash": case.hash,
        "added": case.added,
        "origin": case.origin,
    }


def _model(spec: str | None) -> ModelFolder:
    from ..models.store import ModelStore

    store = ModelStore()
    if spec:
        return store.open(spec)
    for name in store.names():
        if any(version.bundled for version in store.versions(name)):
            return store.open(name)
    raise InputError(
        "No model ships with this installation, so a new case set has no labels to take.",
        remedy="Say with --model whose labels it shall have.",
        code="no-model",
    )


def _own_contract(values: dict[str, int] | None) -> LabelContract | None:
    """Return the contract of a new set whose labels the user names, or None if they are those of the model that ships.

    Labels exclude each other, as the integers of one file do.
    """
    if values is None:
        return None
    from ..labels.contract import LARGEST_VALUE, exclusive_contract
    from ..labels.known_labels import label_named
    from ..models.store import ModelStore

    store = ModelStore()
    for name in store.names():
        if any(version.bundled for version in store.versions(name)):
            if set(values) == {label.name for label in store.open(name).contract.labels}:
                return None
            break
    check_background(values.items(), "--label-values")
    too_large = next((f"{name}={value}" for name, value in values.items() if value > LARGEST_VALUE), None)
    if too_large:
        raise InputError(
            f"“{too_large}” in --label-values cannot be a label of a new set.",
            reason="A set with labels of its own keeps the integers of the file, and its masks hold 1 to "
            f"{LARGEST_VALUE}.",
            remedy="Give the labels other integers in the file and in --label-values, or name a model that has these "
            "labels with --model; then any integers can be translated to its own.",
            code="bad-label-values",
        )
    stated = sorted(((name, value) for name, value in values.items() if value), key=lambda item: item[1])
    return exclusive_contract(tuple(label_named(name, value) for name, value in stated))


def _label_values(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    values: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if not name or not number.isdecimal() or name in values:
            raise InputError(
                f"“--label-values {text}” cannot be read.",
                reason=f"“{part.strip()}” is not a label with its integer, or the label is named twice.",
                remedy="Write each label once with its integer, for example core=1,edema=2,enhancing=4.",
                code="bad-arguments",
            )
        values[name] = int(number)
    return values


def _names(contract: LabelContract) -> str:
    return ", ".join(f"{label.name}={label.value}" for label in contract.labels)
