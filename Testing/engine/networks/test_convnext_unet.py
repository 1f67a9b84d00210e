"""The U-Net with a ConvNeXt encoder, and the weights of classifiers in it.

``convnext_torchvision.safetensors`` and ``convnext_timm.safetensors`` hold small random ConvNeXts (depths 1, 1, 2, 1,
width 6) built with torchvision 0.29.2 and timm 1.0.31: ``state/`` their own state dict, ``input``, and
``features/0..3`` what those libraries computed after each stage in fp32. Weights were rounded to half precision before,
so that nothing is lost in the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.convnext_encoder import SIZES
from convnextseg_engine.networks.convnext_unet import ConvNeXtUNet
from convnextseg_engine.networks.convnext_weights import (
    encoder_tensors,
    for_channels,
    inflated,
    load_encoder_weights,
)
from convnextseg_engine.networks.registry import build, named

SMALL = {"depths": (1, 1, 2, 1), "width": 8}
FIXTURE = {"depths": (1, 1, 2, 1), "width": 6}
# torchvision's documentation gives 28,589,128, 50,223,688 and 88,591,464 parameters, the classifier's included.
PUBLISHED = {"T": 28_589_128, "S": 50_223_688, "B": 88_591_464}


class Narrow(ConvNeXtUNet):
    """The encoder of the fixtures, whose width is not divisible by 4; it has no decoder."""

    def __init__(self, dim: int = 2, inputs: int = 3, norm: str = "layer"):
        from convnextseg_engine.networks.convnext_encoder import ConvNeXtEncoder

        torch.nn.Module.__init__(self)
        self.encoder = ConvNeXtEncoder(inputs, FIXTURE["depths"], FIXTURE["width"], 7, dim, norm, False)


@pytest.fixture(params=["torchvision", "timm"])
def classifier(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict, Path]:
    """Naming, the fixture's tensors, and a file of the classifier's state dict as its library would save it."""
    tensors = load_file(Path(__file__).with_name(f"convnext_{request.param}.safetensors"))
    tensors = {name: tensor.float() for name, tensor in tensors.items()}
    path = tmp_path / "classifier.safetensors"
    save_file({name.removeprefix("state/"): t for name, t in tensors.items() if name.startswith("state/")}, path)
    return request.param, tensors, path


def test_features_equal_the_classifiers(classifier: tuple[str, dict, Path]) -> None:
    naming, tensors, path = classifier
    network = Narrow().eval()
    loaded = load_encoder_weights(network, path)
    assert (loaded.naming, loaded.tensors, loaded.inflation) == (naming, len(network.encoder.state_dict()), "")
    assert len(loaded.ignored) == 4
    with torch.no_grad():
        features = network.encoder(tensors["input"])
    for level, feature in enumerate(features):
        torch.testing.assert_close(feature, tensors[f"features/{level}"], atol=1e-4, rtol=1e-4)


def test_a_volume_that_repeats_the_image_gives_the_images_features_in_every_plane(
    classifier: tuple[str, dict, Path],
) -> None:
    _, tensors, path = classifier
    network = Narrow(dim=3).eval()
    assert load_encoder_weights(network, path, inflation="centre").inflation == "centre"
    volume = tensors["input"][:1].unsqueeze(2).repeat(1, 1, 64, 1, 1)
    with torch.no_grad():
        features = network.encoder(volume)
    for level, feature in enumerate(features):
        for plane in feature.unbind(2):
            torch.testing.assert_close(plane, tensors[f"features/{level}"][:1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("extent", "padding"), [(7, 3), (5, 2), (4, 0), (2, 0)])
@pytest.mark.parametrize("how", ["mean", "centre"])
def test_inflated_kernels_answer_a_constant_volume_as_the_image(extent: int, padding: int, how: str) -> None:
    torch.manual_seed(0)
    kernel, image = torch.randn(3, 2, extent, extent), torch.randn(1, 2, 16, 16)
    flat = torch.nn.functional.conv2d(image, kernel, padding=padding)
    deep = torch.nn.functional.conv3d(
        image.unsqueeze(2).repeat(1, 1, 16, 1, 1), inflated(kernel, extent, how), padding=padding
    )
    # With averaging the planes whose kernel reaches into the padding answer less; with the centre none does.
    touched = padding if how == "mean" else 0
    for index, plane in enumerate(deep.unbind(2)):
        same = torch.allclose(plane, flat, atol=1e-4)
        assert same == (touched <= index < deep.shape[2] - touched)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_equal_channels_answer_as_the_grey_image_did(channels: int) -> None:
    torch.manual_seed(0)
    kernel, grey = torch.randn(5, 3, 4, 4), torch.randn(1, 1, 16, 16)
    expected = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), kernel, stride=4)
    adapted = for_channels(kernel, channels)
    assert adapted.shape == (5, channels, 4, 4)
    torch.testing.assert_close(
        torch.nn.functional.conv2d(grey.repeat(1, channels, 1, 1), adapted, stride=4), expected, atol=1e-4, rtol=1e-4
    )


def test_the_first_convolution_takes_any_number_of_channels(classifier: tuple[str, dict, Path]) -> None:
    _, _, path = classifier
    network = Narrow(dim=3, inputs=4)
    load_encoder_weights(network, path)
    stem = network.encoder.state_dict()["stem.0.weight"]
    assert stem.shape == (6, 4, 4, 4, 4)
    torch.testing.assert_close(stem[:, 0], stem[:, 3])


@pytest.mark.parametrize("norm", ["instance", "group", "batch"])
def test_weights_load_under_another_norm(classifier: tuple[str, dict, Path], norm: str) -> None:
    _, tensors, path = classifier
    network = Narrow(norm=norm)
    load_encoder_weights(network, path)
    own = encoder_tensors({n.removeprefix("state/"): t for n, t in tensors.items() if n.startswith("state/")})[0]
    torch.testing.assert_close(network.encoder.state_dict()["stem.1.weight"], own["stem.1.weight"])


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_pickled_files_are_read_for_their_tensors_only(tmp_path: Path, wrapper: str | None) -> None:
    source = Narrow()
    state = source.encoder.state_dict()
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "convnext.pth")
    target = Narrow()
    load_encoder_weights(target, tmp_path / "convnext.pth")
    assert all(torch.equal(value, state[name]) for name, value in target.encoder.state_dict().items())


def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    state = Narrow().encoder.state_dict()
    state["stem.1.bias"][2] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(InputError, match=r"stem\.1\.bias holds values"):
        load_encoder_weights(Narrow(), tmp_path / "nan.pth")


def test_a_pickle_that_wants_more_than_tensors_is_refused(tmp_path: Path) -> None:
    sentinel = tmp_path / "made"

    class Hostile:
        def __reduce__(self) -> tuple:
            return (Path.touch, (sentinel,))

    torch.save({"state_dict": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(InputError):
        load_encoder_weights(Narrow(), tmp_path / "hostile.pth")
    assert not sentinel.exists()


def test_what_does_not_fit_is_named_and_nothing_changes(classifier: tuple[str, dict, Path], tmp_path: Path) -> None:
    _, _, path = classifier
    network = ConvNeXtUNet(3, 1, dim=2, **SMALL)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(InputError, match=r"bias has shape \(6,\), the network has \(8,\)"):
        load_encoder_weights(network, path)
    deeper = dict(load_file(path))
    deeper["features.9.9.weight" if "features.0.0.weight" in deeper else "stages.9.weight"] = torch.ones(1)
    save_file(deeper, tmp_path / "more.safetensors")
    with pytest.raises(InputError, match=r"9.*has no place"):
        load_encoder_weights(Narrow(), tmp_path / "more.safetensors")
    fewer = {name: tensor for name, tensor in load_file(path).items() if not name.endswith(("layer_scale", "gamma"))}
    save_file(fewer, tmp_path / "fewer.safetensors")
    with pytest.raises(InputError, match=r"gamma is missing.*and 4 more"):
        load_encoder_weights(Narrow(), tmp_path / "fewer.safetensors")
    save_file({"conv1.weight": torch.ones(1)}, tmp_path / "resnet.safetensors")
    with pytest.raises(InputError, match=r"not hold a ConvNeXt.*conv1\.weight"):
        load_encoder_weights(network, tmp_path / "resnet.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("size", SIZES)
def test_the_encoders_have_the_published_number_of_parameters(size: str) -> None:
    with torch.device("meta"):
        network = build(named(f"convnext-unet-{size.lower()}-2d").network, 3, 1)
    last = 8 * SIZES[size].width
    classifier = 2 * last + 1000 * last + 1000
    assert sum(p.numel() for p in network.encoder.parameters()) == PUBLISHED[size] - classifier


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("norm", ["layer", "instance", "group", "batch", "none"])
def test_logits_have_the_inputs_extents_and_every_weight_learns(dim: int, norm: str) -> None:
    torch.manual_seed(0)
    network = ConvNeXtUNet(2, 3, dim=dim, norm=norm, kernel=3, **SMALL)
    x = torch.randn(1, 2, *[64, 32, 32][:dim])
    logits = network(x)
    assert logits.shape == (1, 3, *x.shape[2:])
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in network.named_parameters() if "bias" not in n)


def test_deep_supervision_halves_and_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = ConvNeXtUNet(1, 2, dim=2, deep_supervision=True, checkpointing=checkpointing, **SMALL)
        logits = network(torch.linspace(-1, 1, 64 * 64).view(1, 1, 64, 64))
        assert [tuple(level.shape[2:]) for level in logits] == [(64 >> i, 64 >> i) for i in range(5)]
        sum(level.square().mean() for level in logits).backward()
        gradients.append([p.grad for p in network.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize(
    "impossible",
    [{"kernel": 4}, {"width": 6}, {"depths": [1, 1]}, {"depths": [1, 1, 0, 1]}, {"norm": "x"}, {"size": "H"}],
)
def test_impossible_descriptions_are_refused_in_words(impossible: dict) -> None:
    with pytest.raises(InputError, match="cannot be built"):
        build({"name": "convnext-unet", **impossible}, 1, 1)
