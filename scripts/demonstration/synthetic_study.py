"""A study that the project makes itself, so that the demonstration needs neither patients nor a network."""

from __future__ import annotations

from pathlib import Path

from convnextseg_engine.images.files import write_image
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd
from convnextseg_engine.synthetic.brain import brain_tumour_contract, synthetic_case

from .demo_study import DemoStudy
from .own_files import OwnFiles

REFERENCE = "T1c"


def synthetic_study(seed: int, own: OwnFiles) -> DemoStudy:
    """Write the synthetic brain of ``seed`` and its truth as files, and return the study."""
    case = synthetic_case(seed)
    names = [REFERENCE, *(name for name in case.study.channels if name != REFERENCE)]
    files = {name: f"synthetic-{seed}-{name}.nii.gz" for name in names}
    truth = f"synthetic-{seed}-truth.seg.nrrd"
    own.free(*files.values(), truth)
    for name, file in files.items():
        write_image(case.study.channels[name], own.folder / file)
    write_seg_nrrd(own.folder / truth, case.mask, case.grid, brain_tumour_contract(), source=f"synthetic seed {seed}")
    own.record(*files.values(), truth)
    return DemoStudy(
        name=f"synthetic-{seed}",
        channels={name: own.folder / file for name, file in files.items()},
        truth=own.folder / truth,
        truth_source="the generator's truth",
        note=f"The images are synthetic (seed {seed}): figures on them say nothing about patients.",
    )


def output_folder_of(path: Path) -> Path:
    """Return where the images of synthetic studies lie within the demonstration's output."""
    return path / "synthetic-images"
