"""``convnextseg models grow-kernel``: a trained model with larger kernels, as a new model to train from."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InputError
from .output import Output


def add_action(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add this action to those of ``convnextseg models``."""
    parser = actions.add_parser(
        "grow-kernel", parents=[common], help="make a model with larger kernels, to train from",
        description="Make a new model from a trained one by enlarging its depthwise kernels (UpKern). It is a start "
        "for “convnextseg finetune”; MedNeXt, ConvUNeXt and U-Nets with a ConvNeXt encoder can grow.",
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="name, name@vN, or the path of a model folder")
    parser.add_argument("kernel", metavar="KERNEL", type=_kernel, help="the larger kernel, an odd number such as 5")
    parser.add_argument("--name", required=True, metavar="N", help="name of the new model")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Grow, install, tell."""
    import tempfile
    from pathlib import Path

    from ..models.metadata import is_model_name
    from ..models.store import ModelStore
    from ..training.grown_model import write_grown_model

    store = ModelStore()
    store.check_writable()
    model = store.open(arguments.model)
    if arguments.name in store.names():
        raise InputError(
            f"There is a model named {arguments.name} already.", reason="A model is never overwritten.",
            remedy="Give the new one another name with --name.", code="exists",
        )  # fmt: skip
    if not is_model_name(arguments.name):
        raise InputError(
            f"“{arguments.name}” cannot name a model.", reason="Its name becomes a folder.",
            remedy="Give --name lower-case letters, digits and hyphens.", code="bad-name",
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        grown = write_grown_model(model, arguments.kernel, arguments.name, Path(folder) / arguments.name)
        version = store.install(grown.path)
        kernels = grown.metadata.lineage["grown_kernel"]
    spec = f"{arguments.name}@{version}"
    output.result(
        {"name": arguments.name, "version": version, "base": model.spec, "kernel": kernels},
        [
            f"{spec} is {model.spec} with kernels of {kernels['to']} instead of {kernels['from']}.",
            f"It is a start for training: “convnextseg finetune --model {arguments.name} --cases SET”.",
        ],
    )


def _kernel(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number above 0")
    return int(text)
