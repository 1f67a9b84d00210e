"""``convnextseg models calibrate``: make a model's probabilities say how often they are right."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..inference.backend_names import BACKENDS, checked_backend_name
from ..inference.device import checked_device_name
from .named_files import given_path
from .output import Output, table

if TYPE_CHECKING:
    from ..models.folder import ModelFolder
    from ..models.store import ModelStore, VersionInfo
    from ..uncertainty.calibrate import Calibration

_LEAST_RISE = 0.0005  # what three decimals can show


def add_action(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add this action to those of ``convnextseg models``."""
    parser = actions.add_parser(
        "calibrate", parents=[common], help="make a model's probabilities say how often they are right",
        description="Fit temperatures on the validation cases of a set and add the model with them as a new version. "
        "Its masks are the same.",
    )  # fmt: skip
    parser.add_argument(
        "model", metavar="MODEL",
        help="name (the version in use), name@vN (that one, a candidate too), or the path of a model folder",
    )  # fmt: skip
    parser.add_argument("--cases", required=True, metavar="SET", help="folder of the case set")
    parser.add_argument(
        "--split", default="validation", choices=("validation", "test"),
        help="which of its cases; never those that the weights were trained on (default: validation)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--backend", default="auto", metavar="B", help=f"{', '.join(BACKENDS)} (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Segment the cases, fit, add a version, tell."""
    checked_device_name(arguments.device)
    checked_backend_name(arguments.backend, arguments.device)

    import tempfile
    from pathlib import Path

    from ..labels.case_set import CaseSet
    from ..models.calibrated import write_calibrated
    from ..models.store import ModelStore

    store = ModelStore()
    store.check_writable()
    model = store.open(arguments.model)
    case_set = CaseSet.open(given_path("--cases", arguments.cases))
    cases = case_set.cases(arguments.split)
    if not cases or not model.contract.same_labels(case_set.contract):
        raise InputError(
            f"The case set has no {arguments.split} cases for this model.",
            reason="It has none in this split." if not cases else "Its labels are not the model's.",
            remedy="Choose another split or case set; “convnextseg cases list” shows what a set has.",
            code="no-cases",
        )
    name = model.metadata.name
    base = _version_of(store, model) if name in store.names() else None
    reporter = output.reporter()
    reporter.progress("load", 0.0, f"model {model.spec}")

    from ..inference.loaded import load
    from ..uncertainty.calibrate import NearBoundaries, calibrate, predictions

    loaded = load(model, arguments.device, arguments.backend)
    gathered = NearBoundaries(model.contract)
    for prediction in predictions(loaded, cases, reporter.part(0.05, 0.95)):
        gathered.add(prediction)
    found = calibrate(gathered)
    if not found.temperatures:
        raise InputError(
            "There is nothing to calibrate on.",
            reason=f"The model marked nothing in any of the {len(cases)} cases.",
            remedy="Choose cases in which it finds something.",
            code="nothing-to-calibrate",
        )
    _check_better(found, model.spec, f"{len(cases)} {arguments.split} case{'s' * (len(cases) != 1)}")
    if base is None:
        store.install(model.path)
        base = _version_of(store, model)
    how = found.to_dict() | {"base": model.spec, "cases": [{"name": c.id, "sha256": c.hash} for c in cases]}
    with tempfile.TemporaryDirectory() as folder:
        staged = write_calibrated(model, Path(folder) / name, found.temperatures, _finite(how))
        version = store.add_candidate(name, staged.path, _verdict(base))
    candidates = [v.version for v in store.versions(name) if v.status == "candidate" and not v.calibrated]
    others = [] if "@" in arguments.model else candidates
    output.result(
        _finite(found.to_dict()) | {"name": name, "version": version, "base": base.version, "worse": _worse(found)},
        [
            f"{name}@{base.version} ({base.status}) with calibrated probabilities is {name}@{version}.",
            *_told(found),
            *_warned(found),
            _next_step(f"{name}@{version}", base),
            *([f"To calibrate a candidate instead, write {name}@{others[-1]}."] if others else []),
        ],
    )


def _version_of(store: ModelStore, model: ModelFolder) -> VersionInfo:
    """Return which version of the store ``model`` is."""
    name, version = model.metadata.name, store.version_of(model)
    for known in store.versions(name):
        if known.version == version:
            return known
    raise InputError(
        f"There is another model named {name} on this computer.",
        reason=f"The folder {model.path.name} is none of its versions, so the calibrated model cannot be one of them.",
        remedy="Choose a version that “convnextseg models list” shows, or a folder with another name.",
        code="other-model",
    )


def _worse(found: Calibration) -> list[str]:
    """Return the labels whose error rose."""
    return [label for label, before in found.before.items() if found.after[label] - before >= _LEAST_RISE]


def _check_better(found: Calibration, spec: str, cases: str) -> None:
    """Refuse temperatures with which probabilities miss by more than without: they are fitted to another measure."""
    labels = [label for label, error in found.before.items() if not math.isnan(error + found.after[label])]
    before, after = (sum(e[label] for label in labels) / max(len(labels), 1) for e in (found.before, found.after))
    if after - before >= _LEAST_RISE:
        raise InputError(
            f"With the temperatures that were found, the probabilities of {spec} would be less right than without.",
            reason=f"On {cases} their error rose from {before:.3f} to {after:.3f}, averaged over the labels "
            f"({_rises(found)}). Too few cases often cause this.",
            remedy="Nothing was added, and the model is as it was. Add more validation cases with “convnextseg cases "
            "add … --split validation”, then calibrate again.",
            code="calibration-worse",
        )


def _rises(found: Calibration) -> str:
    return ", ".join(f"{label} {found.before[label]:.3f} to {found.after[label]:.3f}" for label in _worse(found))


def _warned(found: Calibration) -> list[str]:
    if not _worse(found):
        return []
    return [
        f"Note: the error rose for {_rises(found)}, though it fell or stayed on average. If that label matters to you, "
        "add more validation cases and calibrate again before you promote this."
    ]


def _verdict(base: VersionInfo) -> dict[str, Any]:
    """Return what is recorded of the new version: its masks are those of ``base``, so is what was said about them."""
    spec = f"{base.name}@{base.version}"
    same = f"{spec} with calibrated probabilities; its masks are the same."
    if base.status != "candidate":
        text = f"{same} {spec} is or was in use, so no judging is needed."
        return {"outcome": "calibrated", "action": "promote", "text": text, "table": []}
    if not base.verdict:
        text = f"{same} {spec} is a candidate that was never judged, and so is this."
        return {"outcome": "calibrated", "action": "none", "text": text, "table": []}
    text = f"{same} What was said about {spec} holds for it, too.\n{base.verdict.get('text', '')}"
    return base.verdict | {"text": text}


def _next_step(spec: str, base: VersionInfo) -> str:
    promote = f"“convnextseg models promote {spec}” puts it to use"
    if base.status != "candidate":
        return f"{promote}."
    outcome = base.verdict.get("outcome")
    said = f"the verdict on it (“{outcome}”) holds for {spec}" if outcome else "it was never judged"
    return (
        f"{base.name}@{base.version} is a candidate that is not in use; {said}. {promote}, and with it the weights of "
        f"{base.version}; “convnextseg models calibrate {base.name}” calibrates the version in use instead."
    )


def _told(found: Calibration) -> list[str]:
    rows = [["label", "error before", "after"]]
    rows += [[label, _share(before), _share(found.after[label])] for label, before in found.before.items()]
    return [
        *table([["region", "temperature"], *([name, f"{value:.2f}"] for name, value in found.temperatures.items())]),
        *table(rows),
        "The error is by how much a probability misses the frequency, within 10 mm of the predicted boundary.",
    ]


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _finite(value: Any) -> Any:
    """Return ``value`` with NaN as None, which JSON has: a label that was drawn nowhere has no error."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
