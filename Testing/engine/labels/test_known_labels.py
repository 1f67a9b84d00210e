"""Labels by the names that foreign models give them."""

from __future__ import annotations

import pytest

from convnextseg_engine.labels.known_labels import OWN_SCHEME, has_known_code, label_named, labels_of_region


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("edema", "Edema", "ED", "SNFH", "peritumoral_edema", "Peritumoral edema"), "79654002"),
        (("core", "NCR", "NETC", "Necrotic core", "necrotic tumor core", "non-enhancing tumor core"), "6574001"),
        (("enhancing", "ET", "enhancing tumor", "Enhancing_Tumour", "GD-enhancing tumor"), "C113842"),
        (("brain",), "12738006"),
    ],
)
def test_spellings_of_known_labels_have_their_code(names: tuple[str, ...], code: str) -> None:
    for name in names:
        label = label_named(name, 3)
        assert (label.name, label.value, label.type.value) == (name, 3, code)
        assert has_known_code(label)


def test_other_names_have_codes_of_their_own_that_differ() -> None:
    names = ["resection cavity", "resection-cavity 2", "Höhle", "Kavität", "a" * 40, "a" * 41, "tissue"]
    labels = [label_named(name, value) for value, name in enumerate(names, start=1)]
    codes = [label.type.value for label in labels]
    assert len(set(codes)) == len(names)
    for label in labels:
        assert label.type.scheme == OWN_SCHEME and 0 < len(label.type.value) <= 16
        assert not has_known_code(label)
    assert len({label.color for label in labels}) == len(names)


def test_regions_of_brats_are_known_by_their_names() -> None:
    assert labels_of_region("Whole tumor") == ("edema", "core", "enhancing")
    assert labels_of_region("TC") == ("core", "enhancing")
    assert labels_of_region("Enhancing tumour") == ("enhancing",)
    assert labels_of_region("liver") is None
