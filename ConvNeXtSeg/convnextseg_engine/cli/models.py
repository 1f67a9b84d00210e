"""``convnextseg models``: the models on this computer and which version of each is in use."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from . import calibrate, grow_kernel, import_model, tune
from .model_origin import cases_in_words, network_in_words, network_name, origin, parameter_count
from .output import Output, table

if TYPE_CHECKING:
    from ..models.folder import ModelFolder
    from ..models.metadata import Metadata
    from ..models.store import VersionInfo


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser("models", help="list, show, promote or roll back models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, parents=[common], help=text, description=text.capitalize() + ".")
        added.set_defaults(run=run)
        return added

    import_model.add_action(actions, common)
    grow_kernel.add_action(actions, common)
    tune.add_action(actions, common)
    calibrate.add_action(actions, common)
    action("list", _list, "list models and their versions")
    show = action("show", _show, "show what a model says about itself")
    show.add_argument("model", metavar="M", help="name, name@vN, or the path of a model folder")
    promote = action("promote", _promote, "make a version the one that is used")
    promote.add_argument("model", metavar="NAME@vN", help="the version")
    promote.add_argument("--overrule", action="store_true", help="decide against the verdict; this is recorded")
    promote.add_argument("--note", default="", metavar="TEXT", help="why; this is recorded")
    rollback = action("rollback", _rollback, "go back to the version that was used before")
    rollback.add_argument("model", metavar="NAME", help="the model")


def _list(arguments: argparse.Namespace, output: Output) -> None:
    from ..models.store import ModelStore

    store = ModelStore()
    listed, rows = [], [["model", "version", "status", "title"]]
    for name in store.names():
        versions = store.versions(name)
        current = store.current(name)
        title = next((v.title for v in versions if v.version == current), "")
        listed.append({"name": name, "current": current, "title": title, "versions": [_described(v) for v in versions]})
        rows += [[name, v.version, v.status + ", calibrated" * v.calibrated, v.title] for v in versions]
    output.result(listed, table(rows) if listed else ["There are no models on this computer."])


def _show(arguments: argparse.Namespace, output: Output) -> None:
    from ..models.store import ModelStore

    store = ModelStore()
    model = store.open(arguments.model)
    metadata = model.metadata.to_dict()
    known = store.versions(metadata["name"]) if metadata["name"] in store.names() else []
    listed = [v for v in known if v.path.resolve() == model.path.resolve()]
    history = [asdict(event) for event in store.history(metadata["name"])] if listed else []
    value = metadata | {
        "network_name": network_name(model),
        "parameters": parameter_count(model),
        "comes_from": origin(_first_metadata(model, known) if listed else model.metadata),
        "labels": [{"name": label.name, "value": label.value} for label in model.contract.labels],
        "regions": [{"name": region.name, "labels": list(region.labels)} for region in model.contract.regions],
        "path": str(model.path),
        "versions": [_described(v) for v in known] if listed else [],
        "verdict": listed[0].verdict if listed else {},
        "history": history,
    }
    output.result(value, _shown(value, listed[0].status if listed else "a folder outside the store"))


def _first_metadata(model: ModelFolder, versions: list[VersionInfo]) -> Metadata:
    """Return the first version's metadata, or the model's own: a first version that was damaged hides no later one."""
    from ..models.folder import ModelFolder

    try:
        return ModelFolder.open(versions[0].path, verify=False).metadata
    except InputError:
        return model.metadata


def _shown(value: dict[str, Any], status: str) -> list[str]:
    rows = [
        ["model", f"{value['name']}@{value['version']} ({status})"],
        ["title", value["title"]],
        ["intended use", value["intended_use"]],
        ["channels", ", ".join(value["channels"])],
        ["network", network_in_words(value)],
        ["labels", ", ".join(f"{label['name']}={label['value']}" for label in value["labels"])],
        ["regions", ", ".join(region["name"] for region in value["regions"])],
        ["spacing", " × ".join(f"{v:g}" for v in value["spacing"]) + " mm"],
        ["skull removed", "expected" if value["skull_stripped"] else "not needed"],
        *([["comes from", value["comes_from"]]] if value["comes_from"] else []),
        ["has seen", cases_in_words(value)],
        ["licence", value["licence"]],
        ["attribution", value["attribution"]],
        ["folder", value["path"]],
    ]
    rows += [
        [event["action"], f"{event['time'][:19]} {event['version']}" + (f" “{event['note']}”" if event["note"] else "")]
        for event in value["history"]
    ]
    return [*table(rows), *value["verdict"].get("text", "").splitlines()]


def _promote(arguments: argparse.Namespace, output: Output) -> None:
    from ..models.store import ModelStore

    name, _, version = arguments.model.partition("@")
    if not version:
        raise InputError(
            f"“{arguments.model}” does not say which version.",
            remedy=f"Write {name}@v2, for example; “convnextseg models list” shows the versions.",
            code="bad-arguments",
        )
    store = ModelStore()
    wanted = next((v for v in store.versions(name) if v.version == version), None)
    if wanted and not arguments.overrule:
        _check_verdict(wanted)
    store.promote(name, version, overruled=arguments.overrule, note=arguments.note)
    output.result(
        {"name": name, "current": version, "overruled": arguments.overrule, "note": arguments.note},
        [f"{name} now uses {version}. “convnextseg models rollback {name}” goes back."],
    )


def _check_verdict(version: VersionInfo) -> None:
    """Refuse a version that the gate advises against; a person may overrule it, and that is recorded."""
    outcome = version.verdict.get("outcome")
    if outcome in ("reject", "hard stop"):
        raise InputError(
            f"The gate advises against {version.name}@{version.version} ({outcome}).",
            reason=f"“convnextseg models show {version.name}@{version.version}” shows why, case by case.",
            remedy='If you decide otherwise, add --overrule and say why with --note "…"; both are recorded.',
            code="against-verdict",
        )


def _rollback(arguments: argparse.Namespace, output: Output) -> None:
    from ..models.store import ModelStore

    name, _, named = arguments.model.partition("@")
    if named:
        raise InputError(
            "Rolling back goes to the version that was used before; it takes no version.",
            remedy=f"Write {name} alone, or promote {arguments.model} to choose that one.",
            code="bad-arguments",
        )
    version = ModelStore().rollback(arguments.model)
    output.result({"name": arguments.model, "current": version}, [f"{arguments.model} uses {version} again."])


def _described(version: VersionInfo) -> dict[str, Any]:
    return {
        "name": version.version,
        "status": version.status,
        "bundled": version.bundled,
        "title": version.title,
        "created": version.created,
        "verdict": version.verdict,
        "calibrated": version.calibrated,
    }
