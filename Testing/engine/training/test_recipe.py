"""Recipes: what ships is readable, what is wrong is refused in words."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.training.recipe import Recipe, read_recipe, recipe_names
from convnextseg_engine.training.steps import learning_rate_factor


def test_every_shipped_recipe_reads_back_as_itself() -> None:
    assert "adapt" in recipe_names()
    for name in recipe_names():
        recipe = read_recipe(name)
        assert recipe.name == name
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="adapt"):
        read_recipe("miracle")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "at least 1"),
        ({"patch": [0, 32, 32]}, "above 0"),
        ({"purpose": "fun"}, "“purpose” must be one of finetune, scratch"),
        ({"decay": "cosine"}, "“decay” must be one of poly, exponential"),
        ({"accumulate": 0}, "“accumulate” must be at least 1"),
        ({"patience": -1}, "“patience” must be at least 0"),
        ({"freeze": ["stem"]}, "“freeze”"),
        ({"freeze": {"stem": 0}}, "“freeze”"),
        ({"grow_kernel": "5"}, "“grow_kernel”"),
        ({"learning_rat": 1}, "learning_rat"),
        ({"augmentation": {}}, "flip"),
        ({"patch": [32, 32]}, "three numbers"),
        ({"steps": 1e99}, "whole number"),
        ({"batch_size": 2.5}, "whole number"),
        ({"learning_rate": "x"}, "“learning_rate” must be a number"),
        ({"learning_rate": -1}, "“learning_rate” must be at least 0"),
        ({"learning_rate": float("nan")}, "“learning_rate”"),
        ({"foreground_fraction": 7}, "at most 1"),
        ({"seed": -1}, "“seed” must be at least 0"),
        ({"epsilon": None}, "“epsilon” must be a number"),
        ({"deep_supervision": "no"}, "true or false"),
        ({"name": 3}, "“name” must be a text"),
        ({"synthetic_cases": 0, "synthetic_fraction": 0.5}, "synthetic_cases"),
        ({"augmentation": {**asdict(read_recipe("adapt").augmentation), "flip": "x"}}, "“flip” must be a number"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change: dict, words: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(read_recipe("adapt").to_dict() | change))
    with pytest.raises(InputError, match=words):
        read_recipe(path)


def test_broken_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(InputError, match="JSON"):
        read_recipe(tmp_path / "mine.json")


def test_the_rate_warms_up_and_falls_to_nearly_nothing() -> None:
    recipe = read_recipe("adapt")
    factors = [learning_rate_factor(step, recipe) for step in range(recipe.steps)]
    assert factors[0] == pytest.approx(1 / recipe.warmup_steps)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] < 0.02
    assert factors[recipe.warmup_steps :] == sorted(factors[recipe.warmup_steps :], reverse=True)


def test_an_exponential_decay_ends_at_a_hundredth() -> None:
    recipe = read_recipe("convunext")
    assert recipe.decay == "exponential"
    factors = [learning_rate_factor(step, recipe) for step in (0, 1249, 1250, 75_000)]
    assert factors == pytest.approx([1 / 1250, 1.0, 1.0, 0.01])


def test_a_recipe_of_an_earlier_version_reads_and_its_checkpoints_go_on(tmp_path: Path) -> None:
    data = read_recipe("adapt").to_dict()
    for name in ("purpose", "decay", "accumulate", "patience", "freeze", "grow_kernel"):
        del data[name]
    for name in ("flip_other_axes", "elastic", "low_resolution"):
        del data["augmentation"][name]
    assert Recipe.from_dict(data) == read_recipe("adapt")
    # A checkpoint knows its recipe by this; entries that the earlier version had not must not make it another one.
    may_change = {"name", "description", "steps", "warmup_steps", "validate_every", "checkpoint_every"}
    expected = {key: value for key, value in data.items() if key not in may_change}
    assert json.loads(json.dumps(read_recipe("adapt").decisive())) == json.loads(json.dumps(expected))
    assert replace(read_recipe("adapt"), accumulate=2).decisive() != read_recipe("adapt").decisive()


def test_recipes_say_what_they_are_for() -> None:
    assert recipe_names("finetune") == ["adapt"]
    assert recipe_names("scratch") == ["convunext", "mednext", "scratch", "warped"]


@pytest.mark.real_data
def test_mednexts_rate_is_the_reference_ones_at_every_epoch(shared: Path) -> None:
    recipe = read_recipe("mednext")
    golden = json.loads((shared / "golden" / "losses" / "losses_schedules.json").read_text())["nnunet_v1_poly_lr"]
    for epoch, rate in golden["initial_lr=0.001"].items():
        assert recipe.learning_rate * learning_rate_factor(250 * int(epoch), recipe) == pytest.approx(rate, abs=1e-12)


def test_fewer_steps_shrink_the_warm_up() -> None:
    assert read_recipe("adapt").with_steps(10).warmup_steps == 1
