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
    from ..uncertainty.calibrate import Calibration


def add_action(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add this action to those of ``convnextseg models``."""
    parser = actions.add_parser(
        "calibrate", parents=[common], help="make a model's probabilities say how often they are right",
        description="Fit temperatures on the validation cases of a set and add the model with them as a new version. "
        "Its masks are the same.",
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="name, or name@vN, of a model in the store")
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
    name = model.metadata.name
    if name not in store.names():
        store.install(model.path)
    how = found.to_dict() | {"base": model.spec, "cases": [{"name": c.id, "sha256": c.hash} for c in cases]}
    with tempfile.TemporaryDirectory() as folder:
        staged = write_calibrated(model, Path(folder) / name, found.temperatures, _finite(how))
        text = f"{model.spec} with calibrated probabilities; its masks are the same. No judging is needed."
        version = store.add_candidate(
            name, staged.path, {"outcome": "calibrated", "action": "promote", "text": text, "table": []}
        )
    output.result(_finite(found.to_dict()) | {"name": name, "version": version}, _told(found, f"{name}@{version}"))


def _told(found: Calibration, spec: str) -> list[str]:
    rows = [["label", "error before", "after"]]
    rows += [[label, _share(before), _share(found.after[label])] for label, before in found.before.items()]
    return [
        *table([["region", "temperature"], *([name, f"{value:.2f}"] for name, value in found.temperatures.items())]),
        *table(rows),
        "The error is by how much a probability misses the frequency, within 10 mm of the predicted boundary.",
        f"“convnextseg models promote {spec}” puts it to use.",
    ]


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _finite(value: Any) -> Any:
    """Return ``value`` with NaN as None, which JSON has: a label that was drawn nowhere has no error."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
