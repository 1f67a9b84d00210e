"""Volumes out of the scene, a mask into it, corrected segments out again; no torch, no worker."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np

import slicer
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.terminology import type_code
from convnextseg_engine.synthetic.brain import brain_tumour_contract

from ..scene.export import export_case
from ..scene.segmentation import place_result, source_volume
from ..scene.touched import is_touched
from ..scene.volumes import read_volume
from .synthetic_scene import add_synthetic_study

MODEL = {"name": "self-test", "version": "v1", "intended_use": "For tests only."}


class SceneSelfTest(unittest.TestCase):
    """The way of a mask through the scene."""

    def setUp(self) -> None:
        """Start with a synthetic study and its true mask as a segmentation."""
        slicer.mrmlScene.Clear()
        self.study = add_synthetic_study(slicer.mrmlScene)
        self.contract = brain_tumour_contract()
        self.volume = self.study.volumes["T1c"]
        handle = read_volume(self.volume).handle
        self.node = place_result(slicer.mrmlScene, self.study.case.mask, self.contract, handle, MODEL)

    def tearDown(self) -> None:
        """Leave an empty scene."""
        slicer.mrmlScene.Clear()

    def test_segments_have_names_codes_and_voxels(self) -> None:
        """Every label is a segment with its voxels, name and terminology code."""
        segmentation = self.node.GetSegmentation()
        self.assertIs(source_volume(self.node), self.volume)
        self.assertFalse(is_touched(self.node))
        for label in self.contract.labels:
            segment = segmentation.GetSegment(label.name)
            self.assertEqual(segment.GetName(), label.name)
            self.assertEqual(type_code(segment.GetTerminology()), label.type)
            array = slicer.util.arrayFromSegmentBinaryLabelmap(self.node, label.name, self.volume)
            np.testing.assert_array_equal(array != 0, self.study.case.mask == label.value)

    def test_export_gives_the_mask_back(self) -> None:
        """The exported label is the mask, voxel for voxel."""
        with tempfile.TemporaryDirectory() as folder:
            case_set = CaseSet.create(Path(folder) / "cases", self.contract)
            export_case(self.node, self.study.volumes, "T1c", case_set, "case-001", "train")
            np.testing.assert_array_equal(case_set.case("case-001").mask(), self.study.case.mask)
