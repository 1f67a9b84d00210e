"""What nnU-Net v2's ``dataset.json`` says about labels and regions."""

from __future__ import annotations

from typing import Any

from ..labels.contract import ORDERED, Label, LabelContract, Region, exclusive_contract
from ..labels.known_labels import label_named, labels_of_region
from .answers import ImportAnswers, Questions
from .nnunet_plans import refused


def contract_of(dataset: dict[str, Any], answers: ImportAnswers, questions: Questions) -> LabelContract | None:
    """Return the label contract, or None after asking.

    Raises:
        InputError: If the labels contradict each other.
    """
    stated = {name: value for name, value in dataset["labels"].items() if name != "ignore"}
    regions = {name: value for name, value in stated.items() if _values(value) != [0]}
    if not any(len(_values(value)) > 1 for value in stated.values()):
        return _exclusive(regions, answers)
    order = dataset.get("regions_class_order")
    if not isinstance(order, list) or len(order) != len(regions):
        raise refused("“regions_class_order” does not have one entry for each region", "one label for each region")
    return _ordered({name: _values(value) for name, value in regions.items()}, order, answers, questions)


def _exclusive(stated: dict[str, Any], answers: ImportAnswers) -> LabelContract:
    by_value = {_values(value)[0]: name for name, value in stated.items()}
    if sorted(by_value) != list(range(1, len(stated) + 1)):
        raise refused(f"the labels have the values {sorted(by_value)}", "1, 2, 3, … without a gap")
    for name, value in answers.labels or ():
        if value not in by_value:
            raise refused(f"no label has the value {value}", ", ".join(map(str, sorted(by_value))))
        by_value[value] = name
    return exclusive_contract(tuple(label_named(by_value[value], value) for value in sorted(by_value)))


def _ordered(
    regions: dict[str, list[int]], order: list[Any], answers: ImportAnswers, questions: Questions
) -> LabelContract | None:
    values = sorted({value for members in regions.values() for value in members} - {0})
    names = _names_by_definition(regions) | {value: name for name, value in answers.labels or ()}
    unnamed = [value for value in values if value not in names]
    if unnamed:
        listed = "; ".join(f"{name} = {members}" for name, members in regions.items())
        questions.need(
            None,
            f"Its dataset.json names regions ({listed}), but not what {', '.join(map(str, unnamed))} alone is.",
            f"--labels {','.join(f'NAME={value}' for value in unnamed)}",
        )
        return None
    labels: tuple[Label, ...] = tuple(label_named(names[value], value) for value in values)
    return LabelContract(
        labels,
        tuple(
            Region(name, tuple(names[value] for value in members if value), names.get(int(writes)))
            for (name, members), writes in zip(regions.items(), order, strict=True)
        ),
        ORDERED,
    )


def _names_by_definition(regions: dict[str, list[int]]) -> dict[int, str]:
    """Return names for integers that are named alone, or that BraTS's definition of its regions leaves no doubt about.

    Whole tumour without tumour core is edema, and tumour core without enhancing tumour is the rest of the core: these
    are what the regions mean, whichever integer a package gives them.
    """
    names = {members[0]: name for name, members in regions.items() if len(members) == 1}
    by_definition = {
        frozenset(united): set(members)
        for name, members in regions.items()
        if (united := labels_of_region(name)) is not None and len(united) == len(set(members))
    }
    for outer, outer_values in by_definition.items():
        for inner, inner_values in by_definition.items():
            if inner < outer and inner_values < outer_values and len(outer - inner) == 1:
                (name,), (value,) = outer - inner, outer_values - inner_values
                names.setdefault(value, name)
    return names


def _values(value: Any) -> list[int]:
    return [int(v) for v in value] if isinstance(value, list | tuple) else [int(value)]
