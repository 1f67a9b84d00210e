"""``convnextseg batch``: a cohort of studies to masks and one table."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..inference.backend_names import BACKENDS, checked_backend_name
from ..inference.device import checked_device_name
from .channel_names import reference_as_known
from .inference_options import add_inference_options, chosen_options
from .named_files import given_path
from .output import Output, table
from .preparation_options import add_preparation_options, brain_mask_path, check_dilation, chosen_for_cohort

if TYPE_CHECKING:
    from ..cohort.run import Row
    from ..models.metadata import Metadata

_ENDINGS = (".seg.nrrd", ".nii.gz", ".nrrd")


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "batch", parents=[common], help="segment many studies",
        description="Segment all studies of a folder, a DICOM tree or a CSV table. What is done stays when the command "
        "is interrupted; run it again to go on. Not for clinical use.",
    )  # fmt: skip
    parser.add_argument(
        "source", metavar="SOURCE",
        help="a folder with one folder a case, a tree of DICOM files, or a CSV file with the columns case, the "
        "model's channels and, if there are masks, “brain mask”",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="M", help="name, name@vN, or the path of a model folder")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for the results: a folder a case, and cohort.csv"
    )
    parser.add_argument(
        "--reference", metavar="C", help="channel on whose grid results lie (default: the first that a case has)"
    )
    parser.add_argument(
        "--format", default=_ENDINGS[0], choices=_ENDINGS, help="format of the masks (default: .seg.nrrd)"
    )
    parser.add_argument("--preview", action="store_true", help="also write a picture of each case")
    parser.add_argument(
        "--uncertainty", action="store_true",
        help="also measure how sure each result is: the table says how much is probably wrong, and which three slices "
        "to look at first",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--backend", default="auto", metavar="B", help=f"{', '.join(BACKENDS)} (default: auto)")
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="address of a Dask scheduler whose workers share the files"
    )
    add_inference_options(parser)
    add_preparation_options(parser, register="check", cohort=True)
    parser.add_argument("--list", action="store_true", help="only show which files would be which channel")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """List the cases, segment those that are not done, tell."""
    checked_device_name(arguments.device)
    checked_backend_name(arguments.backend, arguments.device)
    source = given_path("SOURCE", arguments.source).absolute()  # a cluster's workers run in folders of their own
    if not source.exists():
        raise InputError(f"There is no file or folder {source}.", remedy="Check the path.", code="no-file")

    from ..cohort.folder_source import cases_of_folder
    from ..cohort.mask_pattern import MaskPattern
    from ..inference.options import settings_for
    from ..models.store import ModelStore

    model = ModelStore().open(arguments.model)
    options = chosen_options(arguments, uncertainty=arguments.uncertainty)
    settings_for(options, model.metadata)  # a wish that cannot be had is refused before any work
    channels = model.metadata.channels
    reference = _reference(arguments.reference, model.metadata)
    preparation = chosen_for_cohort(arguments)
    pattern, masks = brain_mask_path(arguments), None
    if pattern is not None:
        masks = MaskPattern.starting_at(source if source.is_dir() else source.parent, str(pattern))
    if source.is_dir():
        cases = cases_of_folder(source, channels, reference, masks)
    else:
        from ..cohort.csv_source import cases_of_csv

        cases = cases_of_csv(source, channels, reference, masks)
    check_dilation(arguments, any(case.brain_mask for case in cases))
    from ..cohort.run import check_names, run_cohort

    check_names(cases)
    if arguments.list:
        output.result(
            [asdict(case) for case in cases],
            [line for case in cases for line in _described(case)],
        )
        return

    from ..cohort.settings import Settings, content_of

    settings = Settings(
        str(model.path.absolute()), content_of(model), arguments.device, arguments.backend,
        arguments.format, arguments.preview, options.to_dict(), preparation,
    )  # fmt: skip
    folder = given_path("--output", arguments.output)
    execute = None
    if arguments.cluster:
        from ..cohort.cluster import on_cluster

        execute = on_cluster(arguments.cluster)
    rows = run_cohort(cases, settings, folder, output.reporter(), execute)
    failed = [row for row in rows if row.status != "done"]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(rows)} cases could not be segmented.",
            reason=f"The first is {failed[0].case}: {failed[0].message}",
            remedy=f"{folder / 'cohort.csv'} says why for each. Mend them and run the same command again.",
            code="cases-failed",
        )
    output.result({"table": str(folder / "cohort.csv"), "cases": [asdict(row) for row in rows]}, _told(rows, folder))


def _reference(wanted: str | None, metadata: Metadata) -> str | None:
    """Return the model's channel that ``--reference`` means, in whatever spelling."""
    known = None if wanted is None else reference_as_known(wanted, metadata.channels)
    if known is not None and known not in metadata.channels:
        raise InputError(
            f"The reference channel {wanted} is not one of the model's.",
            reason=f"It takes {', '.join(metadata.channels)}.",
            remedy="Choose one of these, or leave the option out.",
            code="unknown-channel",
        )
    return known


def _described(case: Any) -> list[str]:
    files = case.channels | ({"brain mask": case.brain_mask} if case.brain_mask else {})
    lines = [f"{case.id}: {case.problem or ', '.join(f'{name} = {file}' for name, file in files.items())}"]
    return lines + [f"    {note}" for note in case.notes]


def _told(rows: list[Row], folder: Path) -> list[str]:
    listed = [[row.case, row.status, row.message] for row in rows]
    return [*table([["case", "status", ""], *listed]), f"The table is {folder / 'cohort.csv'}."]
