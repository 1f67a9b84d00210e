"""Bytes to messages and back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.worker.lines import MAX_LINE_BYTES, BadLine, LineReader, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=5), st.integers(1, 40))
def test_messages_arrive_as_sent_however_the_bytes_are_cut(messages, piece):
    data = b"".join(map(encode, messages))
    reader = LineReader()
    received = [m for start in range(0, len(data), piece) for m in reader.feed(data[start : start + piece])]
    assert received == messages
    assert reader.finish() == []


def test_an_unfinished_line_waits_for_its_end():
    reader = LineReader()
    assert reader.feed(b'{"a"') == []
    assert reader.feed(b": 1}") == []
    assert reader.feed(b'\r\n{"b": 2}\n') == [{"a": 1}, {"b": 2}]
    reader.feed(b'{"cut of')
    (cut,) = reader.finish()
    assert "cut off" in cut.why and cut.text == '{"cut of'


@pytest.mark.parametrize(
    "line", [b"Welcome to the launcher", b"\xff\xfe\x00", b"[1, 2]", b"7", b'{"a": 1', b"[" * 100_000]
)
def test_a_line_that_is_no_message_is_reported_and_reading_goes_on(line):
    bad, good = LineReader().feed(line + b'\n{"ok": true}\n')
    assert isinstance(bad, BadLine) and bad.why and len(bad.text) <= 201
    assert good == {"ok": True}


def test_a_line_that_is_too_long_is_refused_without_being_kept():
    reader = LineReader(max_line_bytes=1000)
    found = []
    for _ in range(50):
        found += reader.feed(b"x" * 100)
        assert len(reader._buffer) <= 1100
    found += reader.feed(b'xx\n{"next": 1}\n')
    assert len(found) == 2
    assert "longer than 1000 bytes" in found[0].why
    assert found[1] == {"next": 1}


def test_sending_refuses_what_the_other_side_would_refuse():
    with pytest.raises(ValueError, match="longer"):
        encode({"text": "x" * MAX_LINE_BYTES})
    with pytest.raises(TypeError):
        encode({"array": np.zeros(3)})


def test_numbers_without_a_json_form_become_null_and_numpy_scalars_numbers():
    message = {"loss": math.nan, "high": -math.inf, "n": np.int64(3), "x": np.float32(0.5), "bad": np.float64("nan")}
    (received,) = LineReader().feed(encode({**message, "path": Path("a"), "pair": (1, 2)}))
    assert received == {
        "loss": None,
        "high": None,
        "n": 3,
        "x": 0.5,
        "bad": None,
        "path": "a",
        "pair": [1, 2],
    }


def test_file_names_that_are_not_utf8_survive():
    name = b"Patient-\xe4.nii".decode("utf-8", errors="surrogateescape")
    (received,) = LineReader().feed(encode({"path": name}))
    assert received["path"].encode("utf-8", errors="surrogateescape") == b"Patient-\xe4.nii"
