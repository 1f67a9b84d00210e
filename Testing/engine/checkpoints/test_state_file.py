"""Files of weights: the network is read from the tensors, everything else is asked or given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from convnextseg_engine.checkpoints import state_file
from convnextseg_engine.checkpoints.answers import ImportAnswers, NeedsAnswer
from convnextseg_engine.checkpoints.fitting import fits
from convnextseg_engine.errors import InputError
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.networks.registry import build, named

ANSWERS = ImportAnswers(
    channels=("T1c", "FLAIR"), labels=(("edema", 1), ("core", 2)), spacing=(1.0, 1.0, 1.0), axes="SPL",
    intensity="zscore-nonzero", licence="unknown", patch=(32, 32, 32), norm="group",
)  # fmt: skip


def _weights(network: dict, inputs: int = 2, outputs: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {key: tensor.clone() for key, tensor in build(network, inputs, outputs).state_dict().items()}


TINY = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save({"state_dict": _weights(TINY)}, path)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mednext-s-k3", {"width": 4}),
        ("mednext-b-k5", {"width": 2, "kernel": 7}),
        ("mednext-m-k3", {"width": 4, "dim": 2}),
        ("mednext-l-k3", {"width": 2, "grn": True}),
        ("convunext", {"width": 8}),
        ("convunext-3d", {"width": 4, "kernel": 3}),
        ("convnext-unet-t-2d", {"width": 8}),
        ("unet3d-batch", {"width": 4}),
        ("resunet", {"width": 4}),
        ("segresnet", {"width": 8}),
    ],
)
def test_width_kernel_size_and_dimension_are_read_from_the_tensors(name: str, options: dict) -> None:
    network = named(name).network | options
    found = {key: tuple(tensor.shape) for key, tensor in _weights(network, 5, 4).items()}
    (fit,) = fits(found)
    assert (fit.network, fit.inputs, fit.outputs) == (network, 5, 4)


@pytest.mark.parametrize(
    "fixture", ["S_k3_3d", "S_k5_3d", "B_k3_3d", "M_k5_3d", "L_k3_3d", "S_k3_2d", "S_k3_3d_grn", "S_k3_3d_layernorm"]
)
def test_the_authors_weights_are_recognised_and_give_the_authors_outputs(
    shared: Path, tmp_path: Path, fixture: str
) -> None:
    golden = {k: v.float() for k, v in load_file(shared / "golden" / "mednext" / f"{fixture}.safetensors").items()}
    state = {key.removeprefix("state/"): value for key, value in golden.items() if key.startswith("state/")}
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "w.pth")
    size, kernel, dim = fixture[0], int(fixture[3]), int(fixture[5])
    channels = tuple("ABCD"[: golden["input"].shape[1]])
    patch = (32, 32, 32) if dim == 3 else (1, 64, 64)
    norm = "layer" if fixture.endswith("layernorm") else "group"
    read = state_file.read(tmp_path / "w.pth", replace(ANSWERS, channels=channels, patch=patch, norm=norm))
    index = json.loads((shared / "golden" / "mednext" / "index.json").read_text())[fixture]
    described = {"name": "mednext", "size": size, "kernel": kernel, "width": index["n_channels"], "dim": dim}
    options = {"grn": True} if fixture.endswith("grn") else {"norm": "layer"} if norm == "layer" else {}
    assert read.network == described | options
    model = read.write(tmp_path / "model", "golden")
    network = build(model.metadata.network, len(channels), model.contract.network_outputs).eval()
    network.load_state_dict(load_file(model.weights_path), strict=True)
    with torch.no_grad():
        logits = network(golden["input"])
    torch.testing.assert_close(logits, golden["output/0"], atol=1e-4, rtol=1e-4)
    assert any("deep supervision" in note for note in read.notes)


def test_a_norm_is_refused_where_there_is_no_choice(tmp_path: Path) -> None:
    torch.save(_weights(named("resunet").network | {"width": 4}), tmp_path / "w.pth")
    with pytest.raises(InputError) as refusal:
        state_file.read(tmp_path / "w.pth", replace(ANSWERS, norm="layer"))
    assert refusal.value.code == "wrong-norm"


def test_convunext_as_its_training_saves_it_is_recognised_and_gives_its_outputs(shared: Path, tmp_path: Path) -> None:
    import argparse

    golden = load_file(shared / "golden" / "convunext" / "convunext_base8.safetensors")
    state = {key.removeprefix("state/"): value for key, value in golden.items() if key.startswith("state/")}
    content = {"model": state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}, "epoch": 3,
               "args": argparse.Namespace(lr=1e-3, device="cuda")}  # fmt: skip
    torch.save(content, tmp_path / "best_model.pth")
    outputs = golden["output"].shape[1]
    answers = replace(
        ANSWERS, norm=None, channels=tuple("RGB"[: golden["input"].shape[1]]), patch=(1, 96, 96),
        labels=tuple((f"organ {number}", number) for number in range(1, outputs)),
    )  # fmt: skip
    read = state_file.read(tmp_path / "best_model.pth", answers)
    assert read.network == {"name": "convunext", "width": 8, "kernel": 7, "dim": 2}
    network = build(read.network, len(read.channels), read.contract.network_outputs).eval()
    network.load_state_dict(read.state_dicts[0])
    with torch.no_grad():
        torch.testing.assert_close(network(golden["input"]), golden["output"], atol=2e-5, rtol=1e-4)


def test_everything_that_is_open_is_asked_at_once(tiny_file: Path) -> None:
    with pytest.raises(NeedsAnswer) as asked:
        state_file.read(tiny_file, ImportAnswers())
    options = [question.option.split()[0] for question in asked.value.questions]
    assert options == ["--norm", "--channels", "--labels", "--spacing", "--axes", "--intensity", "--licence"]
    assert "2 channels" in str(asked.value) and "3 outputs" in str(asked.value)
    assert [question["option"] for question in asked.value.to_dict()["questions"]] == [
        question.option for question in asked.value.questions
    ]


@pytest.mark.parametrize("field", ["norm", "channels", "labels", "spacing", "axes", "intensity", "licence"])
def test_each_answer_is_needed(tiny_file: Path, field: str) -> None:
    with pytest.raises(NeedsAnswer) as asked:
        state_file.read(tiny_file, replace(ANSWERS, **{field: None}))
    assert [question.option.split()[0] for question in asked.value.questions] == [f"--{field}"]


def test_as_many_outputs_as_labels_are_asked_for_their_regions(tiny_file: Path) -> None:
    labels = (("edema", 1), ("core", 2), ("enhancing", 3))
    with pytest.raises(NeedsAnswer, match="--regions"):
        state_file.read(tiny_file, replace(ANSWERS, labels=labels))


def test_regions_in_any_order_are_put_from_the_largest_to_the_smallest(tiny_file: Path, tmp_path: Path) -> None:
    labels = (("edema", 2), ("core", 1), ("enhancing", 4))
    regions = (
        ("tumour core", ("core", "enhancing")), ("whole tumour", ("edema", "core", "enhancing")),
        ("enhancing tumour", ("enhancing",)),
    )  # fmt: skip
    read = state_file.read(tiny_file, replace(ANSWERS, labels=labels, regions=regions))
    assert [region.name for region in read.contract.regions] == ["whole tumour", "tumour core", "enhancing tumour"]
    assert read.contract.outputs == "nested"
    original, ours = build(TINY, 2, 3).eval(), build(read.network, 2, 3).eval()
    original.load_state_dict(_weights(TINY))
    ours.load_state_dict(read.state_dicts[0])
    image = torch.randn(1, 2, 32, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), original(image)[:, [1, 0, 2]], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"channels": ("T1",)}, "wrong-channels"),
        ({"labels": (("edema", 1), ("core", 3))}, "wrong-labels"),
        ({"labels": (("edema", 1),)}, "wrong-labels"),
        ({"labels": (("edema", 1), ("edema", 2))}, "bad-contract"),
        ({"regions": (("a", ("edema",)),)}, "wrong-regions"),
        ({"regions": (("a", ("edema",)), ("b", ("core",)), ("c", ("core",)))}, "bad-contract"),
        ({"intensity": "guess"}, "bad-arguments"),
        ({"network": "mednext-b-k3"}, "wrong-network"),
        ({"network": "no-such-network"}, "unknown-network"),
    ],
)
def test_answers_that_contradict_the_weights_are_refused(tiny_file: Path, answers: dict, code: str) -> None:
    with pytest.raises(InputError) as refusal:
        state_file.read(tiny_file, replace(ANSWERS, **answers))
    assert refusal.value.code == code


def test_a_wrong_network_name_is_answered_with_the_right_one(tiny_file: Path) -> None:
    with pytest.raises(InputError, match="mednext-s-k3"):
        state_file.read(tiny_file, replace(ANSWERS, network="mednext-l-k5"))


def test_weights_that_several_networks_have_need_the_name(tmp_path: Path) -> None:
    network = {"name": "unet3d", "norm": "instance", "width": 16}
    save_file(_weights(network), tmp_path / "w.safetensors")
    with pytest.raises(NeedsAnswer, match="--network unet3d-layer-w16 or unet3d-instance-w16 or unet3d-group-w16"):
        state_file.read(tmp_path / "w.safetensors", ANSWERS)
    read = state_file.read(tmp_path / "w.safetensors", replace(ANSWERS, network="unet3d-instance", norm=None))
    assert read.network == network


@pytest.mark.parametrize("change", ["renamed", "missing", "reshaped"])
def test_weights_of_no_known_network_are_refused(tmp_path: Path, change: str) -> None:
    weights = _weights(TINY)
    tensor = weights.pop("down_2.conv2.bias")
    if change == "renamed":
        weights["down_2.conv2.other"] = tensor
    elif change == "reshaped":
        weights["down_2.conv2.bias"] = tensor[:-1].clone()
    torch.save(weights, tmp_path / "w.pth")
    with pytest.raises(InputError) as refusal:
        state_file.read(tmp_path / "w.pth", ANSWERS)
    assert refusal.value.code == "unknown-network"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    weights = _weights(TINY)
    weights["bottleneck.0.conv2.weight"].view(-1)[5] = value
    torch.save(weights, tmp_path / "w.pth")
    read = state_file.read(tmp_path / "w.pth", ANSWERS)
    with pytest.raises(InputError, match=r"bottleneck\.0\.conv2\.weight"):
        read.write(tmp_path / "model", "broken")
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.parametrize("exact", [True, False])
def test_half_precision_is_kept_only_where_it_loses_nothing(tmp_path: Path, exact: bool) -> None:
    weights = {k: v.half().float() if exact else v for k, v in _weights(TINY).items()}
    torch.save(weights, tmp_path / "w.pth")
    model = state_file.read(tmp_path / "w.pth", ANSWERS).write(tmp_path / "model", "tiny")
    stored = load_file(model.weights_path)
    assert stored["stem.weight"].dtype == (torch.float16 if exact else torch.float32)
    assert all(torch.equal(stored[key].float(), weights[key].float()) for key in weights)


def test_the_model_loads_and_says_where_it_came_from(tiny_file: Path, tmp_path: Path) -> None:
    import hashlib

    answers = replace(ANSWERS, labels=(("edema", 1), ("strange tissue", 2)), licence="CC BY 4.0", axes="RAS")
    model = state_file.read(tiny_file, answers).write(tmp_path / "model", "tiny")
    (source,) = model.metadata.lineage["sources"]
    assert source["file"] == "tiny.pth" and source["sha256"] == hashlib.sha256(tiny_file.read_bytes()).hexdigest()
    assert model.metadata.licence == "CC BY 4.0"
    assert any("strange tissue" in note for note in model.metadata.lineage["notes"])
    assert model.contract.label("edema").type.value == "79654002"
    card = (model.path / "README.md").read_text(encoding="utf-8")
    assert source["sha256"] in card and "strange tissue" in card and "RAS" in card
    assert load(model, "cpu", "torch").contract.outputs == "exclusive"


@pytest.mark.parametrize(("dim", "patch"), [(3, (30, 32, 32)), (3, (8, 8, 8)), (2, (32, 32, 32))])
def test_a_window_that_the_network_cannot_take_is_refused_before_anything_is_written(
    tmp_path: Path, dim: int, patch: tuple[int, int, int]
) -> None:
    torch.save(_weights(TINY | {"dim": dim}), tmp_path / "w.pth")
    with pytest.raises(InputError) as refusal:
        state_file.read(tmp_path / "w.pth", replace(ANSWERS, patch=patch)).write(tmp_path / "model", "tiny")
    assert refusal.value.code == "bad-patch"
    assert not (tmp_path / "model").exists()
