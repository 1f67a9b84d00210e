"""The operations of docs/architecture.md: what the worker does, in terms of the engine's rooms.

Torch and everything else that is heavy is imported by the first operation that needs it, so that the worker's hello
comes at once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ..progress import Reporter
from .operation_table import OperationTable
from .warm import WarmModels

_REPORTED_IMPORTS = ("torch", "monai", "SimpleITK", "numpy", "openvino")
# Loading weights takes about as long as a fifth of a segmentation on a CPU; only the progress bar depends on it.
_LOADING_PART = 0.2
_PREPARING_PART = 0.1


def build() -> OperationTable:
    """Return the operations, with models kept warm between them."""
    operations = _Operations(WarmModels())
    return OperationTable(
        queued={
            "warm": operations.warm_up,
            "prepare": operations.prepare,
            "segment": operations.segment,
            "finetune": _finetune,
            "evaluate": operations.evaluate,
            "doctor": _doctor,
        },
        instant={"ping": operations.ping},
    )


class _Operations:
    """The operations that share the warm models."""

    def __init__(self, warm: WarmModels):
        self._warm = warm

    def ping(self) -> dict[str, Any]:
        """Say which models are in memory and which libraries have been imported."""
        versions = {name: getattr(sys.modules.get(name), "__version__", None) for name in _REPORTED_IMPORTS}
        return {"loaded": self._warm.names(), "imports": {name: v for name, v in versions.items() if v is not None}}

    def warm_up(self, args: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Load a model, so that the first click does not wait for it."""
        reporter.progress("load", 0.0, "loading the model")
        self._warm.get(args["model"], args.get("device", "auto"), args.get("backend", "auto"))
        return self.ping()

    def segment(self, args: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Segment the study whose channels lie in the exchange folder; the mask goes there too."""
        from ..inference.options import SegmentOptions
        from ..inference.segment import segment
        from ..inference.study_warnings import told_once
        from .exchange import Exchange
        from .preparation import prepared_study

        options = SegmentOptions.from_dict(args.get("options") or {})
        reporter.progress("load", 0.0, "loading the model")
        loaded, loaded_now = self._warm.get(args["model"], args.get("device", "auto"), args.get("backend", "auto"))
        reporter.check()
        exchange = Exchange(args["exchange"])
        rest = reporter.part(_LOADING_PART, 1.0) if loaded_now else reporter
        started = time.perf_counter()
        prepared = prepared_study(args, exchange, loaded.model.metadata, rest.part(0.0, _PREPARING_PART))
        preparation_s = time.perf_counter() - started
        result = segment(prepared.study, loaded, rest.part(_PREPARING_PART, 1.0), options=options)
        kept, doubts = result.calibrated(), result.uncertainty
        return {
            "mask": exchange.put_array("mask", result.mask, result.grid),
            "probabilities": None if kept is None else exchange.put_array("probabilities", kept, result.grid),
            "uncertainty": None if doubts is None else doubts.to_dict(),
            "entropy": None if doubts is None else exchange.put_array("entropy", doubts.entropy, result.grid),
            "volumes_ml": result.volumes_ml,
            "seconds": {"preparation": preparation_s} | result.seconds,
            "device": result.device,
            "backend": result.backend,
            "model": result.model,
            "loaded_now": loaded_now,
            "present": result.present,
            "missing": result.missing,
            "plan": result.plan,
            "reasons": result.reasons,
            "warnings": told_once(prepared, result.warnings),
        } | prepared.to_dict()

    def prepare(self, args: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Prepare the study whose channels lie in the exchange folder, and say what was done and found."""
        from ..models.store import ModelStore
        from .exchange import Exchange
        from .preparation import prepared_study

        metadata = ModelStore().open(args["model"]).metadata if args.get("model") else None
        return prepared_study(args, Exchange(args["exchange"]), metadata, reporter).to_dict()

    def evaluate(self, args: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Compare a model's masks with those of a case set."""
        from ..labels.case_set import CaseSet
        from ..training.evaluate import evaluate

        reporter.progress("load", 0.0, "loading the model")
        loaded, loaded_now = self._warm.get(args["model"], args.get("device", "auto"), args.get("backend", "auto"))
        cases = CaseSet.open(Path(args["cases"])).cases(args.get("split"))
        return evaluate(loaded, cases, reporter.part(_LOADING_PART, 1.0) if loaded_now else reporter).to_dict()


def _finetune(args: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Fine-tune a model on a case set into a judged candidate."""
    from ..labels.case_set import CaseSet
    from ..models.store import ModelStore
    from ..training.finetune import finetune
    from ..training.recipe import read_recipe

    store = ModelStore()
    run_folder, guard = args.get("run_folder"), args.get("guard")
    result = finetune(
        store.open(args["model"]),
        CaseSet.open(Path(args["cases"])),
        read_recipe(args.get("recipe") or "adapt"),
        store,
        run_folder=Path(run_folder) if run_folder else None,
        steps=args.get("steps"),
        resume=bool(args.get("resume")),
        guard=Path(guard) if guard else None,
        device=args.get("device") or "auto",
        reporter=reporter,
    )
    return {"version": result.version, "verdict": result.verdict.to_dict(), "run_folder": result.run_folder}


def _doctor(_args: dict[str, Any], _reporter: Reporter) -> dict[str, Any]:
    """Say what this computer has and what is missing."""
    from ..cli.doctor import findings

    return findings()
