"""The fused block under everything that autograd is asked to do while training."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from torch import multiprocessing, nn
from torch.nn import functional as F

from convnextseg_engine.networks.fused import recycled
from convnextseg_engine.networks.fused.autograd import FusedBlock
from convnextseg_engine.networks.mednext import Block, DownBlock, MedNeXt, UpBlock, set_fused

KINDS = {"same": Block, "down": DownBlock, "up": UpBlock}
CASES = [(kind, dim) for kind in KINDS for dim in (2, 3)]


def small_block(kind: str, dim: int, kernel: int = 3) -> tuple[Block, torch.Tensor]:
    torch.manual_seed(0)
    block = KINDS[kind](2, {"same": 2, "down": 3, "up": 1}[kind], 2, kernel, dim, "group", False).double()
    return block, torch.randn(2, 2, *[2, 4, 2][-dim:], dtype=torch.float64, requires_grad=True)


def named(block: nn.Module) -> list[torch.Tensor]:
    # The depthwise bias has gradient exactly zero, which finite differences meet with noise only.
    return [p for name, p in block.named_parameters() if name != "conv1.bias"]


@pytest.mark.parametrize(("kind", "dim"), CASES)
@pytest.mark.parametrize("kernel", [3, 5])
def test_gradcheck_in_double_precision(kind: str, dim: int, kernel: int) -> None:
    block, x = small_block(kind, dim, kernel)
    assert torch.autograd.gradcheck(lambda x, *_: block(x), (x, *named(block)), atol=1e-6, fast_mode=True)


def test_an_up_block_adds_the_skip_and_passes_its_gradient_on() -> None:
    block, x = small_block("up", 3)
    skip = torch.randn(2, 1, 4, 8, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, s: block(x, s), (x, skip), atol=1e-6, fast_mode=True)
    set_fused(block, False)
    plain = block(x, skip)
    set_fused(block, True)
    torch.testing.assert_close(block(x, skip), plain)


@pytest.mark.parametrize(("kind", "dim"), CASES)
def test_gradients_of_gradients_are_right(kind: str, dim: int) -> None:
    block, x = small_block(kind, dim)
    inputs = (x, *named(block))
    assert torch.autograd.gradgradcheck(lambda x, *_: block(x), inputs, atol=1e-6, fast_mode=True)
    upstream = torch.randn_like(block(x))
    once = torch.autograd.grad(block(x), inputs, upstream)
    differentiable = torch.autograd.grad(block(x), inputs, upstream, create_graph=True)
    torch.testing.assert_close(list(once), [each.detach() for each in differentiable])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trained", ["", "x", "conv1.weight", "norm.bias", "conv3", "res_conv.weight"])
def test_frozen_parts_get_no_gradient_and_the_rest_the_same(kind: str, trained: str) -> None:
    block, x = small_block(kind, 3)
    expected = torch.autograd.grad(block(x).square().sum(), [x, *block.parameters()])
    names = ["x", *(name for name, _ in block.named_parameters())]
    for name, parameter in block.named_parameters():
        parameter.requires_grad_(bool(trained) and name.startswith(trained))
    out = block(x.detach().requires_grad_(trained == "x") if trained else x.detach())
    wanted = {name: value for name, value in zip(names, expected, strict=True) if trained and name.startswith(trained)}
    assert out.requires_grad == bool(wanted)
    if not wanted:
        return
    leaf = x.detach().requires_grad_(trained == "x")
    block(leaf).square().sum().backward()
    tensors = {"x": leaf, **dict(block.named_parameters())}
    for name, tensor in tensors.items():
        if name in wanted:
            torch.testing.assert_close(tensor.grad, wanted[name])
        else:
            assert tensor.grad is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_forward_without_gradients_saves_nothing(mode, monkeypatch: pytest.MonkeyPatch) -> None:
    network = MedNeXt(1, 2, width=4).eval()
    x = torch.randn(1, 1, 32, 32, 32)
    expected = network(x).detach()
    seen = []
    forward = FusedBlock.forward

    def spy(ctx, *arguments):
        out = forward(ctx, *arguments)
        seen.append((getattr(ctx, "saved_tensors", ()), weakref.ref(arguments[0])))
        return out

    monkeypatch.setattr(recycled, "_SMALLEST_BYTES", 1)
    monkeypatch.setattr(FusedBlock, "forward", staticmethod(spy))
    with mode():
        found = network(x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert len(seen) == 26
    assert not any(saved for saved, _ in seen)
    assert not any(alive() is not None for _, alive in seen)
    assert recycled.held_bytes() == 0


def test_gradient_accumulation_adds_up() -> None:
    torch.manual_seed(0)
    network, images = MedNeXt(1, 2, width=4, deep_supervision=True), torch.randn(2, 1, 16, 16, 32)
    sum(o.square().sum() for o in network(images)).backward()
    together = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    for image in images.split(1):
        sum(o.square().sum() for o in network(image)).backward()
    for name, parameter in network.named_parameters():
        if name in together:
            torch.testing.assert_close(parameter.grad, together[name], atol=1e-3, rtol=1e-3, msg=name)


def test_checkpointing_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    network, image = MedNeXt(1, 2, width=4), torch.randn(1, 1, 32, 32, 32)
    found = []
    for network.checkpointing in (False, True):
        network.zero_grad()
        network.train()(image).square().mean().backward()
        found.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1])
    for plain, recomputed in zip(*found, strict=True):
        torch.testing.assert_close(recomputed, plain)


def _distributed(rank: int, network: nn.Module, images: torch.Tensor, rendezvous: str, results) -> None:
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    try:
        wrapped = nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)
        wrapped(images[rank : rank + 1]).square().mean().backward()
        if rank == 0:
            results.update({name: p.grad.numpy() for name, p in network.named_parameters() if p.grad is not None})
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch was built without torch.distributed")
def test_two_processes_average_their_gradients(tmp_path) -> None:
    torch.manual_seed(0)
    network, images = MedNeXt(1, 2, width=2), torch.randn(2, 1, 16, 16, 32)
    expected = copy.deepcopy(network)
    sum(expected(image).square().mean() / 2 for image in images.split(1)).backward()
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        arguments = (network, images, (tmp_path / "rendezvous").as_uri(), results)
        multiprocessing.spawn(_distributed, arguments, nprocs=2)
        found = dict(results)
    for name, parameter in expected.named_parameters():
        if name != "dummy_tensor":
            torch.testing.assert_close(torch.from_numpy(found[name]), parameter.grad, atol=1e-5, rtol=1e-3, msg=name)


def test_stem_and_heads_agree_with_their_layers() -> None:
    torch.manual_seed(0)
    for dim in (2, 3):
        network = MedNeXt(3, 2, width=2, dim=dim).double()
        head = network.out_0
        x = torch.randn(2, 2, *[3, 4, 5][:dim], dtype=torch.float64, requires_grad=True)
        inputs = (x, head.conv_out.weight, head.conv_out.bias)
        assert torch.autograd.gradcheck(lambda x, *_, head=head: head(x), inputs)
        assert torch.autograd.gradgradcheck(lambda x, *_, head=head: head(x), inputs)
        torch.testing.assert_close(head(x), head.conv_out(x))
        image = torch.randn(2, 3, *[16] * dim, dtype=torch.float64)
        convolution = F.conv3d if dim == 3 else F.conv2d
        seen = []
        hook = network.enc_block_0.register_forward_pre_hook(lambda _m, inputs, seen=seen: seen.append(inputs[0]))
        network(image)
        hook.remove()
        torch.testing.assert_close(seen[0], convolution(image, network.stem.weight, network.stem.bias))
