"""Whatever image comes, ``segment`` ends in a mask on its grid or in a sentence that says why not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.colour import component_of
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import LoadedModel, load
from convnextseg_engine.inference.segment import Segmentation, segment
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.networks.registry import build
from engine.inference.tiny_model import CONTRACT, head, tiny_metadata

SHAPE, SPACING = (24, 26, 28), (2.0, 2.0, 2.0)
FLAT = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 2}
COLOURS = ("Red", "Green", "Blue")
SLICE_WARNING = "T1c is a single slice; the model is made for volumes and unreliable on it."


def _grid(size: tuple[int, int, int], spacing: tuple[float, float, float] = SPACING) -> Grid:
    origin = tuple(-(np.array(size) - 1) / 2 * np.array(spacing))
    return Grid(size, spacing, origin, (1, 0, 0, 0, 1, 0, 0, 0, 1))


GRID = _grid(SHAPE[::-1])


def _array() -> np.ndarray:
    """A head whose numbers fit into every type, whole and below 128."""
    return sitk.GetArrayFromImage(head(GRID, (8, 4, -6), 10, 120)).astype(np.float64)


def _noise(size: tuple[int, int, int], spacing: tuple[float, float, float] = SPACING) -> sitk.Image:
    grid = _grid(size, spacing)
    return grid.image(np.random.default_rng(0).uniform(50, 150, grid.shape).astype(np.float32))


def _spoiled() -> np.ndarray:
    array = _array()
    array[10:14], array[0, 0, 0], array[3, 3, 3] = np.nan, np.inf, -np.inf
    return array


def _sheared() -> sitk.Image:
    image = GRID.image(_array())
    image.SetDirection((1, 0.2, 0, 0, 1, 0.1, 0, 0, 1))
    return image


MASKS: dict[str, Callable[[], sitk.Image]] = {
    "NaN and infinities": lambda: GRID.image(_spoiled()),
    "negative numbers": lambda: GRID.image(_array() - 1000),
    "nearly the largest float": lambda: GRID.image((_array() * 1e34).astype(np.float32)),
    "square metres per second": lambda: GRID.image(_array() * 1e-11),
    "a sheared grid": _sheared,
    "2 × 2 × 2 voxels": lambda: _noise((2, 2, 2)),
    "an axial slice": lambda: _noise((44, 40, 1), (2, 2, 5)),
    "a slice thinner than the network's voxels": lambda: _noise((44, 40, 1), (2, 2, 0.3)),
    "a sagittal slice": lambda: _noise((1, 40, 44), (2, 2, 2)),
    "a coronal slice": lambda: _noise((44, 1, 40), (2, 2, 2)),
    "one row of voxels": lambda: _noise((1, 1, 60), (1, 1, 1)),
    "three thick slices": lambda: _noise((30, 26, 3), (2, 2, 8)),
    "voxels of 3 cm": lambda: _noise((2, 2, 2), (30, 30, 30)),
    "a long bar": lambda: _noise((4, 4, 90)),
}  # fmt: skip


def _all_but_one() -> np.ndarray:
    array = np.full(SHAPE, 7.0)
    array[12, 12, 12] = 9
    return array


REFUSALS: dict[str, tuple[Callable[[], sitk.Image], str]] = {
    "zero throughout": (lambda: GRID.image(np.zeros(SHAPE)), "empty-image"),
    "7 throughout": (lambda: GRID.image(np.full(SHAPE, 7, np.int16)), "empty-image"),
    "7 throughout but for one voxel": (lambda: GRID.image(_all_but_one()), "empty-image"),
    "0.1 throughout": (lambda: GRID.image(np.full(SHAPE, 0.1)), "empty-image"),
    "NaN throughout": (lambda: GRID.image(np.full(SHAPE, np.nan)), "empty-image"),
    "infinite throughout": (lambda: GRID.image(np.full(SHAPE, np.inf, np.float32)), "empty-image"),
    "beyond the network's numbers": (lambda: GRID.image(_array() * 1e60), "numbers-too-large"),
    "a single voxel": (lambda: _noise((1, 1, 1)), "bad-spacing"),
    "micrometres": (lambda: _noise((60, 60, 60), (0.05, 0.05, 0.05)), "bad-spacing"),
}
TYPES = ("UInt8", "Int8", "UInt16", "Int16", "UInt32", "Int32", "UInt64", "Int64", "Float32", "Float64")


def _model(folder: Path, network: dict, patch: tuple[int, int, int], channels: tuple[str, ...]) -> LoadedModel:
    metadata = replace(tiny_metadata(), network=network, patch=patch, channels=channels, skull_stripped=False)
    contract = LabelContract.read(CONTRACT)
    torch.manual_seed(7)
    weights = build(network, len(channels), len(contract.regions)).state_dict()
    return load(ModelFolder.write(folder, metadata, contract, weights, "# For tests\n"), "cpu", "torch")


@pytest.fixture(scope="module", params=["volumes", "axial slices", "sagittal slices"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A network of volumes, and one of slices along S and along L."""
    network = tiny_metadata().network if request.param == "volumes" else FLAT
    patch = {"volumes": (32, 32, 32), "axial slices": (1, 32, 32), "sagittal slices": (32, 32, 1)}[request.param]
    return _model(tmp_path_factory.mktemp("odd") / "model", network, patch, ("T1", "T1c", "T2", "FLAIR"))


@pytest.fixture(scope="module")
def volume_model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("odd") / "volumes"
    return _model(folder, tiny_metadata().network, (32, 32, 32), ("T1", "T1c", "T2", "FLAIR"))


@pytest.fixture(scope="module")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return _model(tmp_path_factory.mktemp("odd") / "colours", FLAT, (1, 32, 32), COLOURS)


def _segment(image: sitk.Image, loaded: LoadedModel) -> Segmentation:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an overflow on the way would be a number that nobody meant
        return segment(Study({"T1c": image}, "T1c"), loaded)


@pytest.mark.parametrize("name", MASKS)
def test_odd_volumes_get_a_mask_on_their_own_grid(model: LoadedModel, name: str) -> None:
    image = MASKS[name]()
    result = _segment(image, model)
    assert result.mask.shape == image.GetSize()[::-1]
    assert result.grid.same_as(Grid.from_image(image))
    assert set(np.unique(result.mask)) <= {0, 1, 2, 4}
    flat = min(image.GetSize()) == 1
    assert (SLICE_WARNING in result.warnings) == (flat and model.model.metadata.network.get("dim") != 2)


@pytest.mark.parametrize("name", REFUSALS)
def test_volumes_that_show_nothing_are_refused_in_words(volume_model: LoadedModel, name: str) -> None:
    make, code = REFUSALS[name]
    with pytest.raises(InputError) as caught:
        _segment(make(), volume_model)
    assert caught.value.code == code
    assert caught.value.reason
    assert caught.value.remedy


@pytest.fixture(scope="module")
def expected(volume_model: LoadedModel) -> np.ndarray:
    mask = _segment(GRID.image(_array()), volume_model).mask
    assert 0 < np.count_nonzero(mask) < mask.size
    return mask


@pytest.mark.parametrize("pixel", TYPES)
def test_the_type_of_the_numbers_changes_nothing(volume_model: LoadedModel, expected: np.ndarray, pixel: str) -> None:
    image = sitk.Cast(GRID.image(_array()), getattr(sitk, f"sitk{pixel}"))
    assert np.array_equal(_segment(image, volume_model).mask, expected)


def _big_endian_nrrd(path: Path) -> None:
    header = (
        "NRRD0004\ntype: double\ndimension: 3\nspace: left-posterior-superior\nsizes: 28 26 24\nendian: big\n"
        "space directions: (2,0,0) (0,2,0) (0,0,2)\nencoding: raw\n"
        f"space origin: ({','.join(str(v) for v in GRID.origin)})\n\n"
    )
    path.write_bytes(header.encode() + _array().astype(">f8").tobytes())


def _big_endian_nifti(path: Path) -> None:
    import struct

    header = bytearray(352)
    struct.pack_into(">i", header, 0, 348)
    struct.pack_into(">8h", header, 40, 3, 28, 26, 24, 1, 1, 1, 1)
    struct.pack_into(">2h", header, 70, 16, 32)  # float32
    struct.pack_into(">8f", header, 76, 1, 2, 2, 2, 1, 1, 1, 1)
    struct.pack_into(">f", header, 108, 352)
    struct.pack_into(">f", header, 112, 1)
    struct.pack_into(">2h", header, 252, 0, 1)  # sform, in RAS: x and y run the other way than in LPS
    x, y, z = GRID.origin
    struct.pack_into(">12f", header, 280, -2, 0, 0, -x, 0, -2, 0, -y, 0, 0, 2, z)
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + _array().astype(">f4").tobytes())


def _compressed(path: Path) -> None:
    sitk.WriteImage(sitk.Cast(GRID.image(_array()), sitk.sitkInt16), str(path), useCompression=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("big.nrrd", _big_endian_nrrd), ("big.nii", _big_endian_nifti), ("packed.nrrd", _compressed),
        ("packed.mha", _compressed), ("packed.nii.gz", _compressed), ("two_files.mhd", _compressed),
        ("two_files.nhdr", _compressed),
    ],
)  # fmt: skip
def test_the_way_a_file_is_written_changes_nothing(
    volume_model: LoadedModel, expected: np.ndarray, tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    assert np.array_equal(_segment(read_image(tmp_path / name), volume_model).mask, expected)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (sitk.Image([6, 6, 6, 4], sitk.sitkInt16), "not-3d"),
        (sitk.Image([6, 6, 6], sitk.sitkVectorUInt8, 3), "not-scalar"),
        (sitk.Image([6, 6, 6], sitk.sitkComplexFloat32), "not-scalar"),
    ],
    ids=["4D", "colour", "complex"],
)  # fmt: skip
def test_what_is_no_grey_volume_is_refused_in_words(tmp_path: Path, image: sitk.Image, code: str) -> None:
    sitk.WriteImage(image, str(tmp_path / "odd.nrrd"))
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "odd.nrrd")
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_sheared_nrrd_is_read_where_it_lies(volume_model: LoadedModel, tmp_path: Path) -> None:
    sitk.WriteImage(_sheared(), str(tmp_path / "sheared.nrrd"))
    image = read_image(tmp_path / "sheared.nrrd")
    if Grid.from_image(image).same_as(Grid.from_image(_sheared())):
        # The file's rounded directions move the border by 1e-8 mm, where a voxel of noise is either in or out.
        same = _segment(image, volume_model).mask == _segment(_sheared(), volume_model).mask
        assert same.mean() > 0.95, same.mean()
    else:
        pytest.fail("ITK reads a sheared grid as another one without a word")


def _photograph(channels: int) -> np.ndarray:
    rows, columns = np.indices((48, 56))
    ramps = [rows * 4 + 20, columns * 4 + 20, (rows + columns) * 2 + 20, np.full((48, 56), 255)]
    return np.stack(ramps[:channels], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("name", "channels"), [("rgb.png", 3), ("rgba.png", 4), ("rgb.tif", 3), ("rgb.nrrd", 3)])
def test_a_photograph_gives_a_colour_model_its_three_channels(
    colour_model: LoadedModel, tmp_path: Path, name: str, channels: int
) -> None:
    pixels = _photograph(channels)
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / name))
    images = {colour: read_image(tmp_path / name, component_of(colour)) for colour in COLOURS}
    for index, image in enumerate(images.values()):
        assert np.array_equal(sitk.GetArrayFromImage(image), pixels[None, ..., index])
    result = segment(Study(images, "Red"), colour_model)
    assert result.mask.shape == (1, 48, 56)
    assert result.present == COLOURS
    assert result.warnings == (() if result.mask.any() else ("The model marked nothing in this study.",))


def test_a_colour_image_is_refused_for_a_grey_channel_and_two_values_for_a_colour(tmp_path: Path) -> None:
    assert component_of("T1c") is None
    sitk.WriteImage(sitk.GetImageFromArray(_photograph(3), isVector=True), str(tmp_path / "rgb.png"))
    with pytest.raises(InputError, match="3 values per voxel"):
        read_image(tmp_path / "rgb.png", component_of("T1c"))
    sitk.WriteImage(sitk.GetImageFromArray(_photograph(2), isVector=True), str(tmp_path / "two.nrrd"))
    with pytest.raises(InputError, match=r"2 values per voxel\. A colour image has three"):
        read_image(tmp_path / "two.nrrd", component_of("Green"))


@pytest.mark.parametrize("name", ["slice.png", "slice.nii.gz", "slice.mha"])
def test_a_2d_image_is_a_volume_of_one_slice(model: LoadedModel, tmp_path: Path, name: str) -> None:
    pixels = _photograph(3)[..., 2]
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / name))
    image = read_image(tmp_path / name)
    assert np.array_equal(sitk.GetArrayFromImage(image), pixels[None])
    assert image.GetSpacing() == (1.0, 1.0, 1.0)
    assert _segment(image, model).mask.shape == (1, 48, 56)


def test_a_multi_frame_dicom_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    sitk.WriteImage(sitk.Image([8, 8, 5], sitk.sitkUInt16), str(tmp_path / "study" / "enhanced.dcm"))
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "study")
    assert caught.value.code == "multi-frame"
    assert "multi-frame" in caught.value.reason
    assert "Slicer's DICOM module" in caught.value.remedy and "NRRD or NIfTI" in caught.value.remedy


def _with_nan(voxels: int) -> sitk.Image:
    array = _array().astype(np.float32)
    array.ravel()[:voxels] = np.nan
    return GRID.image(array)


@pytest.mark.parametrize(("voxels", "said"), [(0, None), (1, "Less than 0.1 %"), (int(np.prod(SHAPE)) // 4, "25.0 %")])
def test_voxels_that_are_no_numbers_are_told(volume_model: LoadedModel, voxels: int, said: str | None) -> None:
    told = [warning for warning in _segment(_with_nan(voxels), volume_model).warnings if "no usable numbers" in warning]
    assert told == (
        [] if said is None else [f"{said} of the voxels of T1c are no usable numbers; they counted as background."]
    )


def test_numbers_beyond_float32_are_refused_with_their_range(volume_model: LoadedModel) -> None:
    with pytest.raises(InputError, match=r"volume for channel T1c are too large.*reach 1e\+300") as caught:
        _segment(GRID.image(np.where(_array() != 0, 1e300, 0.0)), volume_model)
    assert "overlap" not in str(caught.value)


def test_one_channel_beyond_float32_is_not_said_to_lie_elsewhere(volume_model: LoadedModel) -> None:
    channels = {"T1c": GRID.image(_array()), "T2": GRID.image(np.where(_array() != 0, -1e300, 0.0))}
    with pytest.raises(InputError, match="channel T2 are too large"):
        segment(Study(channels, "T1c"), volume_model)
