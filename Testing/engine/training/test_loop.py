"""The loop: it learns, keeps the best validated weights, resumes as if nothing had happened, and can be ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from convnextseg_engine.errors import ConvNeXtSegError, InputError, RunCancelled
from convnextseg_engine.networks.registry import build
from convnextseg_engine.progress import Reporter
from convnextseg_engine.training.loop import train
from convnextseg_engine.training.losses import region_loss
from convnextseg_engine.training.recipe import Recipe

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 2, "dim": 3}


class Blob:
    """Batches whose truth is where the input is bright; a source in place of real cases."""

    def __init__(self, broken_from: int | None = None):
        self.broken_from = broken_from

    def prefetched(self, first: int, last: int):
        for step in range(first, last + 1):
            image = torch.randn(1, 4, 32, 32, 32, generator=torch.Generator().manual_seed(step))
            if self.broken_from is not None and step >= self.broken_from:
                image = image * float("nan")
            yield step, (image, (image[:, :3] > 0.5).float())


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(NETWORK, 4, 3)


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def test_it_learns(tmp_path: Path, recipe: Recipe) -> None:
    losses = []
    reporter = Reporter(on_metrics=lambda m: losses.append(m["loss"]))
    quick = replace(recipe, steps=30, learning_rate=0.02, warmup_steps=1)
    train(network(), Blob(), quick, checkpoint=tmp_path / "c.pt", reporter=reporter)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("interrupted_at", [2, 3])
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path, recipe: Recipe, interrupted_at: int) -> None:
    whole = network()
    finished = train(whole, Blob(), recipe, checkpoint=tmp_path / "whole.pt")

    seen = []
    reporter = Reporter()

    def cancel_in_time(values: dict) -> None:
        seen.append(values["step"])
        if values["step"] == interrupted_at:
            reporter.cancelled.set()

    reporter.on_metrics = cancel_in_time
    with pytest.raises(RunCancelled):
        train(network(), Blob(), recipe, checkpoint=tmp_path / "c.pt", reporter=reporter)
    second = network(seed=99)  # whatever it starts with, the checkpoint decides
    resumed = train(second, Blob(), recipe, checkpoint=tmp_path / "c.pt", resume=True)
    assert resumed.step == finished.step == recipe.steps
    torch.testing.assert_close(weights(second), weights(whole), rtol=0, atol=0)
    torch.testing.assert_close(resumed.best_weights, finished.best_weights, rtol=0, atol=0)


def test_stop_keeps_what_there_is(tmp_path: Path, recipe: Recipe) -> None:
    reporter = Reporter()
    reporter.on_metrics = lambda m: m["step"] == 2 and reporter.stop_requested.set()
    state = train(network(), Blob(), recipe, checkpoint=tmp_path / "c.pt", reporter=reporter)
    assert state.step == 2
    assert state.best_weights


def test_the_best_validated_weights_are_kept(tmp_path: Path, recipe: Recipe) -> None:
    scores = iter([0.9, 0.1])
    kept = []

    def validate(net: nn.Module) -> dict[str, float]:
        assert not net.training
        kept.append({key: value.clone() for key, value in net.state_dict().items()})
        return {"region": next(scores)}

    state = train(network(), Blob(), recipe, checkpoint=tmp_path / "c.pt", validate=validate)
    assert [entry["step"] for entry in state.history] == [3, 6]
    assert state.best_score == 0.9
    torch.testing.assert_close(state.best_weights, kept[0], rtol=0, atol=0)


def test_another_recipe_does_not_resume(tmp_path: Path, recipe: Recipe) -> None:
    train(network(), Blob(), recipe, checkpoint=tmp_path / "c.pt")
    with pytest.raises(InputError, match="another recipe"):
        train(network(), Blob(), replace(recipe, seed=5), checkpoint=tmp_path / "c.pt", resume=True)


def test_a_damaged_checkpoint_is_refused_in_words(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "c.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="cannot be read"):
        train(network(), Blob(), recipe, checkpoint=tmp_path / "c.pt", resume=True)


def test_bad_numbers_end_the_run_and_never_reach_the_weights(tmp_path: Path, recipe: Recipe) -> None:
    net = network()
    with pytest.raises(ConvNeXtSegError, match="diverged"):
        train(net, Blob(broken_from=1), recipe, checkpoint=tmp_path / "c.pt")
    assert all(torch.isfinite(p).all() for p in net.parameters())


def test_the_loss_prefers_the_truth_and_weighs_resolutions() -> None:
    truth = torch.zeros(1, 3, 32, 32, 32)
    truth[:, :, 8:24, 8:24, 8:24] = 1
    right, wrong = 20 * (truth - 0.5), -20 * (truth - 0.5)
    assert region_loss(right, truth) < 0.01 < region_loss(wrong, truth)
    coarse_truth = torch.nn.functional.avg_pool3d(truth, 2)
    full_wrong = region_loss([wrong, 20 * (coarse_truth - 0.5)], truth)
    coarse_wrong = region_loss([right, -20 * (coarse_truth - 0.5)], truth)
    assert full_wrong > 1.5 * coarse_wrong


class Pieces(Blob):
    """The batches of :class:`Blob` in twice as many pieces, as a recipe that accumulates two asks for them."""

    def prefetched(self, first: int, last: int):
        for step, (image, regions) in super().prefetched(2 * first, 2 * last + 1):
            yield step // 2, (image, regions)


class Whole(Pieces):
    """The same, each two pieces as one batch."""

    def prefetched(self, first: int, last: int):
        pieces = super().prefetched(first, last)
        for (step, one), (_, other) in zip(pieces, pieces, strict=True):
            yield step, tuple(torch.cat(pair) for pair in zip(one, other, strict=True))


def test_accumulated_batches_learn_as_one_of_their_mean_loss(tmp_path: Path, recipe: Recipe) -> None:
    def per_sample(logits: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, regions)

    short = replace(recipe, steps=2, learning_rate=0.01, epsilon=1e-3)
    pieces, whole = network(), network()
    losses: dict[str, list] = {"pieces": [], "whole": []}
    for name, net, source, accumulate in (("pieces", pieces, Pieces(), 2), ("whole", whole, Whole(), 1)):
        train(
            net, source, replace(short, accumulate=accumulate), checkpoint=tmp_path / f"{name}.pt", loss=per_sample,
            reporter=Reporter(on_metrics=lambda m, name=name: losses[name].append(m["loss"])),
        )  # fmt: skip
    assert losses["pieces"] == pytest.approx(losses["whole"], rel=1e-5)
    torch.testing.assert_close(weights(pieces), weights(whole), atol=1e-5, rtol=1e-4)


def test_it_ends_early_when_nothing_better_comes(tmp_path: Path, recipe: Recipe) -> None:
    scores = iter([0.5, 0.4, 0.6, 0.6, 0.1, 0.9])
    patient = replace(recipe, steps=6, validate_every=1, patience=2)
    state = train(network(), Blob(), patient, checkpoint=tmp_path / "c.pt", validate=lambda _: {"region": next(scores)})
    assert [entry["step"] for entry in state.history] == [1, 2, 3, 4, 5]
    assert state.best_score == 0.6
