"""Draw the icon of the extension and of the module: a brain slice with the three tumour labels in their colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parent.parent
PLACES = (ROOT / "Resources/ConvNeXtSeg.png", ROOT / "ConvNeXtSeg/Resources/Icons/ConvNeXtSeg.png")
SIZE = 128
# Drawn this much larger and averaged down, which smooths the edges.
FINER = 4

BACKGROUND = (0.13, 0.17, 0.24)
GREY_MATTER = (0.62, 0.65, 0.70)
WHITE_MATTER = (0.80, 0.82, 0.85)
# The colours of edema, core and enhancing in convnextseg_engine/data/contracts/brain-tumour.json.
EDEMA, CORE, ENHANCING = (0.55, 0.88, 0.58), (0.85, 0.39, 0.31), (0.96, 0.84, 0.20)


def icon() -> np.ndarray:
    """Return the icon as uint8 RGBA of shape ``(128, 128, 4)``."""
    ticks = (np.arange(SIZE * FINER) + 0.5) / (SIZE * FINER) * 2 - 1
    x, y = np.meshgrid(ticks, ticks)
    angle = np.arctan2(y, x)

    def blob(cx: float, cy: float, rx: float, ry: float, waves: int = 0, height: float = 0.0) -> np.ndarray:
        radius = np.hypot((x - cx) / rx, (y - cy) / ry)
        return radius < 1 + height * np.cos(waves * np.arctan2(y - cy, x - cx))

    picture = np.zeros((*x.shape, 4))
    tile = np.maximum(np.abs(x), np.abs(y)) ** 8 + np.minimum(np.abs(x), np.abs(y)) ** 8 < 0.9
    picture[tile] = (*BACKGROUND, 1.0)
    folds = 1 + 0.035 * np.cos(22 * angle)
    brain = np.hypot(x / 0.66, y / 0.80) < folds
    inner = np.hypot(x / 0.54, y / 0.68) < 1 + 0.07 * np.cos(14 * angle)
    midline = brain & (np.abs(x) < 0.018) & (np.abs(y) > 0.25)
    for shape, colour in (
        (brain, GREY_MATTER),
        (inner, WHITE_MATTER),
        (midline, BACKGROUND),
        (blob(-0.13, 0.0, 0.06, 0.20) | blob(0.13, 0.0, 0.06, 0.20), BACKGROUND),
        (blob(0.27, -0.22, 0.30, 0.27, 5, 0.08), EDEMA),
        (blob(0.29, -0.22, 0.19, 0.17, 4, 0.07), ENHANCING),
        (blob(0.30, -0.22, 0.11, 0.10, 3, 0.08), CORE),
    ):
        picture[shape & tile] = (*colour, 1.0)
    return _averaged(picture)


def _averaged(picture: np.ndarray) -> np.ndarray:
    blocks = picture.reshape(SIZE, FINER, SIZE, FINER, 4)
    opacity = blocks[..., 3:].mean(axis=(1, 3))
    colour = (blocks[..., :3] * blocks[..., 3:]).mean(axis=(1, 3)) / np.maximum(opacity, 1e-6)
    return np.round(np.concatenate([colour, opacity], axis=-1) * 255).astype(np.uint8)


def main() -> None:
    """Write the icon to both places."""
    image = sitk.GetImageFromArray(icon(), isVector=True)
    for place in PLACES:
        place.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(place), useCompression=True)
        print(place.relative_to(ROOT))


if __name__ == "__main__":
    main()
