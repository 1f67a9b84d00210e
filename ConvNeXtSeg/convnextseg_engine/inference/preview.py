"""A picture of the result: three orthogonal slices with the mask drawn on them.

Radiological convention, however the scan was tilted: the patient's right is on the left of the axial and coronal slice,
the front on the left of the sagittal one. All slices have the same scale in millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from ..durable import replacing
from ..images.grid import Grid
from ..images.resample import anatomical_grid, resample
from .segment import Segmentation

_PANEL = 360  # pixels for the longest side of the volume
_FINEST = 320  # voxels for the longest side; more would not be seen
_FRAME = 0.06  # of the longest side
_GAP = 12
_LINE = 24
_FILL_OPACITY = 0.3
_BACKGROUND = (16, 16, 16)
_TEXT = (230, 230, 230)
_FAINT = (150, 150, 150)
_NOTICE = (255, 196, 0)
# Letters at the left, right, top and bottom of each slice, by name of the slice.
_EDGES = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}


def preview(background: sitk.Image, segmentation: Segmentation) -> Image.Image:
    """Return the picture.

    Args:
        background: A channel of the study, on any grid.
        segmentation: The result; each slice lies where the marked area is largest, or in the middle if there is none.
    """
    view = _view_grid(segmentation.grid)
    grey = _grey(sitk.GetArrayFromImage(resample(background, view)))
    mask_image = segmentation.grid.image(segmentation.mask)
    mask = sitk.GetArrayFromImage(resample(mask_image, view, "nearest")).astype(np.uint8)
    colors = {label.value: label.color for label in segmentation.contract.labels}
    grey, mask = _cropped(grey, mask)
    scale = _PANEL / max(grey.shape)
    panels = [
        (name, _panel(_slice(grey, axis, at), _slice(mask, axis, at), colors, scale, name))
        for axis, name in enumerate(("axial", "coronal", "sagittal"))
        for at in (_largest_area(mask, axis),)
    ]
    return _sheet(panels, segmentation)


def write_preview(path: Path, background: sitk.Image, segmentation: Segmentation) -> None:
    """Write :func:`preview` as PNG; nobody ever sees half a file."""
    picture = preview(background, segmentation)
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")


def _view_grid(grid: Grid) -> Grid:
    low, high = grid.outer_box()
    step = max(min(grid.spacing), float((high - low).max()) / _FINEST)
    return anatomical_grid(grid, (step, step, step))


def _grey(array: np.ndarray) -> np.ndarray:
    foreground = array[array != 0]
    low, high = np.percentile(foreground, (1, 99.5)) if foreground.size else (0.0, 1.0)
    grey = (array - low) / max(float(high - low), 1e-6)
    return np.where(array == 0, 0, np.clip(grey, 0.02, 1) * 255).astype(np.uint8)


def _cropped(grey: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the empty margins around the head, but for a frame in which letters stand."""
    shown = (grey > 0) | (mask > 0)
    if not shown.any():
        return grey, mask
    frame = max(1, round(max(grey.shape) * _FRAME))
    box = []
    for axis in range(3):
        hit = np.flatnonzero(shown.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(0, int(hit[0]) - frame), int(hit[-1]) + 1 + frame))
    return grey[tuple(box)], mask[tuple(box)]


def _largest_area(mask: np.ndarray, axis: int) -> int:
    areas = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis))
    return int(areas.argmax()) if areas.any() else mask.shape[axis] // 2


def _slice(volume: np.ndarray, axis: int, at: int) -> np.ndarray:
    # Axes of the volume run towards S, P and L, so an axial slice shows the front at the top and the right on the left
    # as it is; in the others the first axis runs upwards and has to be turned over.
    plane = np.take(volume, at, axis=axis)
    return plane if axis == 0 else plane[::-1]


def _panel(
    grey: np.ndarray, mask: np.ndarray, colors: dict[int, tuple[float, float, float]], scale: float, name: str
) -> Image.Image:
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    pixels = np.asarray(
        Image.fromarray(np.ascontiguousarray(grey)).resize(size, Image.Resampling.BILINEAR), dtype=np.float32
    )
    pixels = np.repeat(pixels[..., None], 3, axis=2)
    labels = np.asarray(Image.fromarray(np.ascontiguousarray(mask)).resize(size, Image.Resampling.NEAREST))
    edge = _outline(labels)
    for value, color in colors.items():
        rgb = np.array(color, dtype=np.float32) * 255
        inside = labels == value
        pixels[inside] = (1 - _FILL_OPACITY) * pixels[inside] + _FILL_OPACITY * rgb
        pixels[inside & edge] = rgb
    panel = Image.fromarray(pixels.round().astype(np.uint8))
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(14)
    width, height = size
    left, right, top, bottom = _EDGES[name]
    draw.text((4, height / 2), left, _TEXT, font, anchor="lm")
    draw.text((width - 4, height / 2), right, _TEXT, font, anchor="rm")
    draw.text((width / 2, 4), top, _TEXT, font, anchor="ma")
    draw.text((width / 2, height - 4), bottom, _TEXT, font, anchor="md")
    return panel


def _outline(labels: np.ndarray) -> np.ndarray:
    """Pixels that differ from one of their four neighbours."""
    edge = np.zeros(labels.shape, dtype=bool)
    above, beside = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= above
    edge[:-1] |= above
    edge[:, 1:] |= beside
    edge[:, :-1] |= beside
    return edge


def _sheet(panels: list[tuple[str, Image.Image]], segmentation: Segmentation) -> Image.Image:
    font, large = ImageFont.load_default(15), ImageFont.load_default(18)
    top = _GAP + _LINE
    tallest = max(panel.height for _, panel in panels)
    legend_top = top + tallest + _GAP
    labels = segmentation.contract.labels
    width = sum(panel.width for _, panel in panels) + _GAP * (len(panels) + 1)
    height = legend_top + _LINE * (len(labels) + 1) + 2 * _GAP
    model = segmentation.model
    title = f"{model['title']} ({model['name']} {model['version']})"
    notice = "Not for clinical use"
    needed = max(large.getlength(title), large.getlength(notice)) + 2 * _GAP
    sheet = Image.new("RGB", (max(width, int(needed) + 1), height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    for name, panel in panels:
        draw.text((left, _GAP), name, _FAINT, font)
        sheet.paste(panel, (left, top))
        left += panel.width + _GAP
    for row, label in enumerate(labels):
        y = legend_top + row * _LINE
        draw.rectangle((_GAP, y + 3, _GAP + 14, y + 17), fill=tuple(round(c * 255) for c in label.color))
        draw.text((_GAP + 24, y), f"{label.name}  {segmentation.volumes_ml[label.name]:.1f} mL", _TEXT, font)
    bottom = legend_top + len(labels) * _LINE
    draw.text((_GAP, bottom + 2), title, _FAINT, font)
    draw.text((sheet.width - _GAP, legend_top), notice, _NOTICE, large, anchor="ra")
    return sheet
