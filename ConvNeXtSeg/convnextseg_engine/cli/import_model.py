"""``convnextseg models import``: another program's weights as a model of ours."""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models.metadata import COARSEST_MM, FINEST_MM, LARGEST_PATCH, is_model_name
from .label_options import check_background
from .named_files import given_path
from .output import Output, table
from .patch_option import naming_the_patch

if TYPE_CHECKING:
    from ..checkpoints.answers import ImportAnswers
    from ..checkpoints.imported import ImportedModel

_TEXT = (
    "Import another program's model: the results folder of nnU-Net v2 or v1 (MedNeXt among them), a MONAI bundle, or a "
    "file of weights (.pth, .pt, .safetensors). Files are read through an allow-list and nothing in them is run. What "
    "the source does not say is asked, all of it at once; see docs/importing.md."
)


def add_action(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add this action's options to ``convnextseg models``."""
    parser = actions.add_parser("import", parents=[common], help="import another program's model", description=_TEXT)
    parser.add_argument("source", metavar="PATH", help="the folder, .zip archive or file")
    parser.add_argument("--name", required=True, metavar="N", help="the model's name here: a-z, 0-9 and hyphens")
    parser.add_argument("--channels", metavar="A,B,…", help="which image each of the network's channels is, in order")
    parser.add_argument(
        "--labels", metavar="L=1,…", help="which label each of the source's integers is, such as edema=1,core=2"
    )
    parser.add_argument(
        "--regions", metavar="R=L+M,…", help="with one output a region: the labels of each, in the order of outputs"
    )
    parser.add_argument("--network", metavar="NAME", help="for a file of weights of which several networks could be")
    parser.add_argument(
        "--norm", choices=("group", "layer"), help="for a file of a MedNeXt's weights: the norm that its blocks have"
    )
    parser.add_argument("--spacing", metavar="L,P,S", help="millimetres at which the network works")
    parser.add_argument("--patch", metavar="D,H,W", help="voxels of the network's window")
    parser.add_argument(
        "--axes", metavar="SPL", help="towards what its arrays' axes point: SPL (nnU-Net), RAS (MONAI, nibabel), …"
    )
    parser.add_argument(
        "--intensity", metavar="SCHEME",
        help="zscore-foreground, zscore-nonzero, zscore-image, none, range:FROM,TO,LOW,HIGH or percentiles:…",
    )  # fmt: skip
    parser.add_argument("--folds", metavar="0,1,…", help="which folds become members (default: all there are)")
    parser.add_argument("--configuration", metavar="C", help="which of several, such as 3d_fullres")
    parser.add_argument(
        "--arithmetic", metavar="A", help="float32, or nnunet-v1 or nnunet-v2 to add windows up exactly as they do"
    )
    parser.add_argument("--licence", metavar="TEXT", help="under what terms its weights may be used, or “unknown”")
    parser.add_argument("--title", metavar="TEXT", help="one line for the list of models")
    parser.add_argument("--skull-stripped", action="store_true", help="it expects images without skull")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Read, write into the store, tell what was read and what was assumed."""
    path = given_path("PATH", arguments.source)
    answers = _answers(arguments)
    _check_name(arguments.name)
    reporter = output.reporter()
    reporter.progress("read", 0.0, path.name)

    # Only now the seconds of importing torch.
    from ..checkpoints.imported import sources_of
    from ..checkpoints.recognise import source, what_is
    from ..models.store import ModelStore

    store = ModelStore()
    store.check_writable()
    if arguments.name in store.names():
        raise InputError(
            f"There is a model named {arguments.name} already.",
            reason="A model's first version is never replaced.",
            remedy="Choose another name.",
            code="exists",
        )
    with source(path) as readable:
        kind = what_is(readable, path)
        imported = kind.read(readable, answers)
        if readable != path:
            imported = replace(imported, lineage=imported.lineage | {"archive": sources_of(path)[0]})
        reporter.progress("write", 0.6, arguments.name)
        with tempfile.TemporaryDirectory(prefix="convnextseg-import-") as staged:
            with naming_the_patch(answers.patch is not None):
                imported.write(Path(staged) / arguments.name, arguments.name)
            version = store.install(Path(staged) / arguments.name)
    reporter.progress("write", 1.0, "done")
    value = _described(imported, kind.title, f"{arguments.name}@{version}", path.name)
    output.result(value, _lines(value))


def _answers(arguments: argparse.Namespace) -> ImportAnswers:
    from ..checkpoints.answers import ImportAnswers

    return ImportAnswers(
        channels=_list("--channels", arguments.channels),
        labels=_labels(arguments.labels),
        regions=_regions(arguments.regions),
        network=arguments.network,
        norm=arguments.norm,
        spacing=_spacing(arguments.spacing),
        patch=_patch(arguments.patch),
        axes=_axes(arguments.axes),
        intensity=arguments.intensity,
        folds=_list("--folds", arguments.folds),
        configuration=arguments.configuration,
        arithmetic=arguments.arithmetic,
        licence=_licence(arguments.licence),
        title=arguments.title,
        skull_stripped=arguments.skull_stripped or None,
    )


def _list(option: str, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    items = tuple(item.strip() for item in text.split(","))
    if not all(items) or len(set(items)) != len(items):
        raise _bad(f"“{option} {text}” is no list of different names.", f"Write {option} A,B,C.")
    return items


def _labels(text: str | None) -> tuple[tuple[str, int], ...] | None:
    found = []
    for item in _list("--labels", text) or ():
        name, _, value = item.rpartition("=")
        if not name.strip() or not value.strip().isdecimal() or int(value) > 255:
            raise _bad(f"“--labels {text}” does not say which label each integer is.", "Write --labels edema=1,core=2.")
        found.append((name.strip(), int(value)))
    check_background(found, "--labels")
    return tuple(found) if text is not None else None


def _regions(text: str | None) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    found = []
    for item in _list("--regions", text) or ():
        name, equals, labels = item.partition("=")
        parts = tuple(label.strip() for label in labels.split("+"))
        if not name.strip() or not equals or not all(parts):
            raise _bad(
                f"“--regions {text}” does not say which labels each region unites.",
                'Write --regions "whole tumour=edema+core,tumour core=core".',
            )
        found.append((name.strip(), parts))
    return tuple(found) if text is not None else None


def _numbers(option: str, text: str | None, kind: type) -> tuple[Any, Any, Any] | None:
    if text is None:
        return None
    try:
        first, second, third = (kind(part) for part in text.split(","))
    except ValueError as error:
        raise _bad(f"“{option} {text}” is not three numbers.", f"Write {option} 1,1,1, for example.") from error
    return first, second, third


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    values = _numbers("--spacing", text, float)
    if values is not None and not all(FINEST_MM <= value <= COARSEST_MM for value in values):  # NaN is neither
        raise _bad(
            f"“--spacing {text}” is no spacing of voxels.",
            "Write three millimetre values along L, P, S, such as --spacing 1,1,1.5.",
            f"Each must be from {FINEST_MM} to {COARSEST_MM} mm.",
        )
    return values


def _patch(text: str | None) -> tuple[int, int, int] | None:
    values = _numbers("--patch", text, int)
    if values is not None and (min(values) < 1 or math.prod(values) > LARGEST_PATCH):
        raise _bad(
            f"“--patch {text}” is no window of voxels.",
            "Write three voxel counts along D, H, W, such as --patch 96,96,96, or leave the option out.",
            "Each must be 1 or more, and together they may be no more than 512 × 512 × 512.",
        )
    return values


def _axes(text: str | None) -> str | None:
    from ..images.resample import is_orientation

    if text is not None and not is_orientation(text):
        raise _bad(
            f"“--axes {text}” does not name three axes.",
            "Write three letters, one of L and R, one of P and A, one of S and I, such as SPL or RAS.",
        )
    return text


def _licence(text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise _bad("“--licence” names no licence.", "Name it as its source does, or write --licence unknown.")
    return text


def _check_name(name: str) -> None:
    if not is_model_name(name):
        raise _bad(f"“{name}” cannot name a model.", "Use lower-case letters, digits and hyphens.")


def _described(imported: ImportedModel, kind: str, spec: str, file: str) -> dict[str, Any]:
    contract = imported.contract
    return {
        "model": spec,
        "source": file,
        "kind": kind,
        "network": imported.network,
        "members": len(imported.state_dicts),
        "channels": list(imported.channels),
        "labels": [{"name": label.name, "value": label.value} for label in contract.labels],
        "outputs": contract.outputs,
        "regions": [{"name": region.name, "labels": list(region.labels)} for region in contract.regions],
        "spacing": list(imported.spacing),
        "patch": list(imported.patch),
        "intensity": imported.intensity,
        "preparation": imported.preparation,
        "inference": imported.inference,
        "licence": imported.licence,
        "notes": imported.all_notes(),
    }


def _lines(value: dict[str, Any]) -> list[str]:
    from ..checkpoints.card import preparation_in_words

    network = ", ".join(f"{key} {item}" for key, item in value["network"].items() if key not in ("name", "arguments"))
    rows = [
        ["read from", f"{value['source']}, {value['kind']}"],
        ["network", f"{value['network']['name']} {network}".strip()],
        ["members", str(value["members"])],
        ["channels", ", ".join(value["channels"])],
        ["labels", ", ".join(f"{label['name']}={label['value']}" for label in value["labels"])],
        ["outputs", f"{value['outputs']}: {', '.join(region['name'] for region in value['regions'])}"],
        ["spacing", " × ".join(f"{v:g}" for v in value["spacing"]) + " mm"],
        ["window", " × ".join(map(str, value["patch"])) + " voxels"],
        ["preparation", preparation_in_words(value["intensity"], value["preparation"])],
        ["licence", value["licence"]],
    ]
    return [
        f"Imported as {value['model']}.",
        *table(rows),
        *(f"Note: {note}" for note in value["notes"]),
        f"Check it on cases that you know: “convnextseg segment --model {value['model'].partition('@')[0]} …”.",
    ]


def _bad(message: str, remedy: str, reason: str = "") -> InputError:
    return InputError(message, reason=reason, remedy=remedy, code="bad-arguments")
