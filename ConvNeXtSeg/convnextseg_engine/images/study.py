"""A study: the channels of one patient at one time, and the volume that the result belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..errors import InputError
from .grid import Grid


@dataclass(frozen=True)
class Study:
    """The input of a segmentation.

    Attributes:
        channels: Channel name (``"T1"``, ``"T1c"``, …) to 3D scalar image; grids may differ, physical space is shared.
        reference: Name of the channel on whose grid the result lands.
    """

    channels: dict[str, sitk.Image]
    reference: str

    def __post_init__(self) -> None:
        if self.reference not in self.channels:
            raise InputError(
                f"The reference channel “{self.reference}” is not among the study's channels.",
                reason=f"The study has {', '.join(self.channels) or 'no channels'}.",
                remedy="Choose one of the given channels as reference.",
                code="no-reference",
            )
        for name, image in self.channels.items():
            if image.GetNumberOfComponentsPerPixel() != 1:
                raise InputError(
                    f"The volume for channel {name} has {image.GetNumberOfComponentsPerPixel()} values per voxel.",
                    reason="A channel is one number per voxel; this is a colour or vector image.",
                    remedy="Extract one component, or choose the grey-scale volume.",
                    code="not-scalar",
                )
            Grid.from_image(image)  # refuses 2D, 4D and broken geometry in words

    @property
    def reference_grid(self) -> Grid:
        """Grid of the reference channel."""
        return Grid.from_image(self.channels[self.reference])
