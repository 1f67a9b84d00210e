"""Faults of the engine: geometry, files, models, judging, and the direction of imports."""

from __future__ import annotations

from .planting import Fault

_ENGINE = "ConvNeXtSeg/convnextseg_engine"
_TESTS = "Testing/engine"

FAULTS = (
    Fault(
        "channels are combined by index and not by their place in the patient",
        f"{_ENGINE}/images/resample.py",
        "grid.origin, grid.spacing, grid.direction, outside",
        "image.GetOrigin(), grid.spacing, grid.direction, outside",
        (f"{_TESTS}/inference/test_segment_geometry.py::test_the_mask_is_at_the_tumours_place_whatever_the_grids",),
    ),
    Fault(
        "an interrupted write leaves half a file in place of the old one",
        f"{_ENGINE}/durable.py",
        'temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name}")',
        "temporary = path",
        (f"{_TESTS}/images/test_image_files.py::test_a_failing_write_leaves_the_old_file",),
    ),
    Fault(
        "Cancel is not heard between the windows",
        f"{_ENGINE}/progress.py",
        "        if self.cancelled.is_set():\n",
        "        if False:\n",
        (f"{_TESTS}/inference/test_windows.py::test_cancel_between_windows_computes_no_further_window",),
    ),
    Fault(
        "two labels swapped in the file that is written",
        f"{_ENGINE}/labels/seg_nrrd.py",
        '"LabelValue": str(label.value)',
        '"LabelValue": str({1: 2, 2: 1}.get(label.value, label.value))',
        (f"{_TESTS}/labels/test_seg_nrrd.py::test_what_is_written_is_what_is_read",),
    ),
    Fault(
        "enhancing tumour appears outside the whole tumour",
        f"{_ENGINE}/labels/regions.py",
        "inside = inside & (probabilities[index] > threshold)",
        "inside = probabilities[index] > threshold",
        (f"{_TESTS}/labels/test_label_contract.py::test_an_inner_region_cannot_appear_outside_an_outer_one",),
    ),
    Fault(
        "an existing case is overwritten",
        f"{_ENGINE}/labels/case_set.py",
        "if folder.name == case_id and replace:",
        "if folder.name == case_id:",
        (f"{_TESTS}/labels/test_case_set.py::test_an_existing_case_is_not_overwritten",),
    ),
    Fault(
        "a model whose weights were changed is opened",
        f"{_ENGINE}/models/checksums.py",
        "        if sha256_of(file) != expected:\n",
        "        if False:\n",
        (f"{_TESTS}/models/test_model_folder.py::test_a_changed_file_is_named",),
    ),
    Fault(
        "a candidate is used before anybody has decided",
        f"{_ENGINE}/models/store.py",
        "state.verdicts | {version: verdict}, highest=highest)",
        "state.verdicts | {version: verdict}, highest=highest, current=version)",
        (f"{_TESTS}/models/test_model_store.py::test_a_candidate_becomes_a_version_but_not_the_current_one",),
    ),
    Fault(
        "a bug shows a bare traceback",
        f"{_ENGINE}/cli/main.py",
        "    except Exception as error:\n        return _failed(output, _explained(error, argv))\n",
        "",
        (f"{_TESTS}/cli/test_cli_failures.py::test_a_bug_is_status_1_with_plain_words_and_a_log",),
    ),
    Fault(
        "a case that was learned from judges the candidate",
        f"{_ENGINE}/training/gate/judge.py",
        "    if seen:\n",
        "    if False:\n",
        (f"{_TESTS}/gate/test_gate.py::test_a_case_that_was_used_is_refused_even_if_only_its_image_is_known",),
    ),
    Fault(
        "a vanished label does not stop a candidate with a good mean",
        f"{_ENGINE}/training/gate/judge.py",
        "bool(stops) or ",
        "",
        (f"{_TESTS}/gate/test_gate.py::test_a_hard_stop_outweighs_any_mean_and_is_named",),
    ),
    Fault(
        "a room that Slicer imports pulls in torch",
        f"{_ENGINE}/labels/contract.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport torch\n",
        (f"{_TESTS}/repository/test_import_directions.py::test_light_rooms_import_nothing_heavy_when_really_imported",),
    ),
    Fault(
        "the engine reaches for Slicer",
        f"{_ENGINE}/images/study.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport slicer\n",
        (f"{_TESTS}/repository/test_import_directions.py::test_engine_knows_nothing_of_slicer",),
    ),
    Fault(
        "a result of nnU-Net's preparation lands on transposed axes",
        f"{_ENGINE}/images/nnunet/placement.py",
        "volume.transpose(np.argsort(axes))",
        "volume.transpose(axes)",
        (f"{_TESTS}/nnunet/test_nnunet_geometry.py::test_what_is_restored_lies_where_it_was",),
    ),
    Fault(
        "labels that a foreign model only numbers get names without asking",
        f"{_ENGINE}/checkpoints/nnunet_v1.py",
        "named if set(named) == set(values) else None",
        "named or {value: f'label {value}' for value in values}",
        (f"{_TESTS}/nnunet/test_nnunet_reading.py::test_version_1_holds_integers_only_so_both_orders_are_possible",),
    ),
)
