"""Canonical safetensors: one set of bytes per content, and nothing believed that the bytes do not prove."""

from __future__ import annotations

import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.tensors import (
    MAX_HEADER_BYTES,
    canonical_json,
    decode_tensors,
    encode_tensors,
    parse_json,
    tensor_pieces,
)

pytestmark = pytest.mark.unit

CAP = 1 << 20


def arrays() -> dict[str, np.ndarray]:
    return {
        "model.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "model.bias": np.zeros(3, dtype=np.float32),
        "codes": np.arange(5, dtype=np.uint8),
        "scalar": np.array(7, dtype=np.int64),
        "empty": np.zeros((0, 4), dtype=np.float64),
    }


def raw(table: Any, body: bytes = b"", *, declared: int | None = None) -> bytes:
    """Safetensors bytes with any table, honest or not."""
    head = table if isinstance(table, bytes) else json.dumps(table, separators=(",", ":")).encode()
    return struct.pack("<Q", len(head) if declared is None else declared) + head + body


def table(**entries: Any) -> dict[str, Any]:
    return {"__metadata__": {"jepanet": "{}"}, **entries}


def reason(data: bytes, *, max_bytes: int = CAP) -> str:
    with pytest.raises(Rejected) as caught:
        decode_tensors(data, max_bytes=max_bytes, what="delta")
    assert "delta" in str(caught.value)
    return caught.value.reason


# ------------------------------------------------------------------ honest


def test_pieces_are_the_bytes_that_the_library_writes() -> None:
    """In every type, shape and order, and whatever the header says: one content has one file."""
    kinds = ("<f4", "<f8", "i1", "u1", "<u2", "<i4", "<u4", "<i8")
    several = {f"{place}.{kind[-2:]}": np.arange(place, dtype=kind) for place, kind in enumerate(kinds)}
    strided = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::3]
    for given, header in (
        ({}, {}),
        (arrays(), {"schema": "x", "step": 7}),
        (several | {"strided": strided, "B/b-1": strided.T}, {"said": 'quotes " \\ \x00\x1f\x7f\n ä € 🙂'}),
    ):
        assert b"".join(tensor_pieces(given, header)) == encode_tensors(given, header)
    for refused in ({"half": np.zeros(1, np.float16)}, {"ä": np.zeros(1, np.float32)}, {"": np.zeros(1)}):
        with pytest.raises(ValueError):
            tensor_pieces(refused, {})


def test_names_that_json_escapes_are_read_too() -> None:
    odd = {'a "name"': np.zeros(1, np.float32), "ä": np.ones(2, np.float64)}
    found, _ = decode_tensors(encode_tensors(odd, {}), max_bytes=CAP, what="delta")
    assert list(found) == sorted(odd)


def test_what_is_encoded_is_decoded() -> None:
    decoded, header = decode_tensors(
        encode_tensors(arrays(), {"schema": 1, "round": 7}), max_bytes=CAP, what="delta"
    )
    assert header == {"schema": 1, "round": 7}
    assert list(decoded) == sorted(arrays())
    for name, array in arrays().items():
        assert decoded[name].dtype == array.dtype and decoded[name].shape == array.shape
        assert np.array_equal(decoded[name], array)


def test_the_bytes_depend_on_neither_insertion_order_nor_memory_layout() -> None:
    forward = arrays()
    backward = {name: np.asarray(array, order="F") for name, array in reversed(list(forward.items()))}
    assert encode_tensors(forward, {"a": 1, "b": 2}) == encode_tensors(backward, {"b": 2, "a": 1})


def test_decoded_arrays_cannot_be_written() -> None:
    decoded, _ = decode_tensors(encode_tensors(arrays(), {}), max_bytes=CAP, what="delta")
    with pytest.raises(ValueError, match="read-only"):
        decoded["model.weight"][0, 0] = 1.0


def test_nan_payloads_and_negative_zero_survive_bit_for_bit() -> None:
    bits = np.array([0x7FC00001, 0xFFC12345, 0x80000000, 0x00000001], dtype=np.uint32)
    encoded = encode_tensors({"x": bits.view(np.float32)}, {})
    decoded, _ = decode_tensors(encoded, max_bytes=CAP, what="delta")
    assert np.array_equal(decoded["x"].view(np.uint32), bits)


@pytest.mark.parametrize("dtype", [np.float16, np.complex64, np.bool_, object])
def test_a_dtype_without_a_place_is_refused_when_writing(dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype"):
        encode_tensors({"x": np.zeros(2, dtype=dtype)}, {})


# ------------------------------------------------------------------ hostile


def test_size_is_checked_before_anything_is_read() -> None:
    assert reason(encode_tensors(arrays(), {}), max_bytes=64) == "too-large"


@pytest.mark.parametrize("length", [0, 1, 7])
def test_shorter_than_a_length_field(length: int) -> None:
    assert reason(bytes(length)) == "truncated"


@pytest.mark.parametrize("declared", [10_000, MAX_HEADER_BYTES + 1, 1 << 62, (1 << 64) - 1])
def test_a_declared_header_length_is_not_believed(declared: int) -> None:
    assert reason(raw(table(), declared=declared)) == "truncated"


def test_every_truncation_of_a_good_file_is_refused() -> None:
    data = encode_tensors(arrays(), {"schema": 1})
    for length in range(len(data)):
        assert reason(data[:length]) in {"truncated", "malformed", "not-canonical"}


def test_no_flipped_header_byte_passes_as_the_same_content() -> None:
    data = encode_tensors({"x": np.ones(4, dtype=np.float32)}, {"schema": 1})
    (length,) = struct.unpack("<Q", data[:8])
    for position in range(8 + length):
        changed = bytearray(data)
        changed[position] ^= 0x01
        try:
            decoded, header = decode_tensors(bytes(changed), max_bytes=CAP, what="delta")
        except Rejected:
            continue
        # What still decodes says something else, and its bytes are the one canonical form of that.
        assert (set(decoded), header) != ({"x"}, {"schema": 1}) or decoded["x"].dtype != np.float32
        assert encode_tensors(decoded, header) == bytes(changed)


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'"text"',
        b"[" * 5000,
        pickle.dumps({"x": 1}),
        {},
        {"__metadata__": None},
        {"__metadata__": {}},
        {"__metadata__": {"jepanet": "{}", "other": "1"}},
        {"__metadata__": {"format": "pt"}},
    ],
)
def test_a_table_or_metadata_of_another_form_is_malformed(head: Any) -> None:
    assert reason(raw(head)) in {"malformed", "bad-json"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "malformed"),
        ("not json", "bad-json"),
        ('{"a": 1}', "not-canonical"),
        ('{"b":1,"a":2}', "not-canonical"),
        ('{"a":1,"a":1}', "not-canonical"),
        ('{"a":NaN}', "bad-json"),
        ('{"a":1e999}', "bad-json"),
        ('{"a":9007199254740993}', "bad-json"),
    ],
)
def test_the_header_document_must_be_one_canonical_object(text: str, why: str) -> None:
    assert reason(raw({"__metadata__": {"jepanet": text}})) == why


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        7,
        {},
        {"dtype": "F32"},
        {"dtype": "F32", "shape": [1]},
        {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [1], "data_offsets": 4},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]},
        {"dtype": "F128", "shape": [1], "data_offsets": [0, 16]},
        {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]},
    ],
)
def test_an_entry_of_another_form_is_malformed(entry: Any) -> None:
    assert reason(raw(table(x=entry), bytes(16))) == "malformed"


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        ([4], [0, 12]),
        ([4], [0, 20]),
        ([4], [8, 24]),
        ([4], [16, 0]),
        ([-4], [0, 16]),
        ([-2, -2], [0, 16]),
        ([4.0], [0, 16]),
        ([True, 4], [0, 16]),
        (["4"], [0, 16]),
        ([1 << 40, 1 << 40], [0, 16]),
        ([0, 1 << 62], [0, 16]),
        ([4] + [1] * 8, [0, 16]),
        ([4], [-16, 0]),
        ([4], [0.0, 16]),
    ],
)
def test_shape_and_offsets_must_agree_with_the_file(shape: list[Any], offsets: list[Any]) -> None:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
    assert reason(raw(table(x=entry), bytes(16))) == "truncated"


def test_tensors_may_not_share_leave_out_or_reorder_bytes() -> None:
    def entry(start: int, end: int) -> dict[str, Any]:
        return {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}

    assert reason(raw(table(x=entry(0, 8), y=entry(0, 8)), bytes(8))) == "not-canonical"
    assert reason(raw(table(x=entry(0, 8), y=entry(4, 12)), bytes(12))) == "not-canonical"
    assert reason(raw(table(x=entry(0, 4), y=entry(8, 12)), bytes(12))) == "not-canonical"
    assert reason(raw(table(x=entry(8, 16), y=entry(0, 8)), bytes(16))) == "not-canonical"
    assert reason(raw(table(x=entry(0, 8)), bytes(16))) == "not-canonical"


def test_a_tensor_named_twice_is_refused() -> None:
    honest = encode_tensors({"x": np.ones(2, dtype=np.float32)}, {})
    (length,) = struct.unpack("<Q", honest[:8])
    entry = b'"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    assert entry in honest
    head = honest[8 : 8 + length].replace(entry, entry + b"," + entry)
    assert reason(raw(head, honest[8 + length :])) == "not-canonical"


def test_more_tensors_than_the_cap_are_refused_before_any_is_made() -> None:
    entry = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    many = {f"t{number}": entry for number in range(5000)}
    assert reason(raw(table(**many))) == "malformed"


def test_appended_bytes_change_the_digest_and_are_refused() -> None:
    data = encode_tensors(arrays(), {})
    assert reason(data + b"\0") == "not-canonical"


def test_spaces_in_the_table_are_refused() -> None:
    data = encode_tensors({"x": np.ones(2, dtype=np.float32)}, {})
    (length,) = struct.unpack("<Q", data[:8])
    spaced = data[8 : 8 + length] + b" " * 8
    assert reason(raw(spaced, data[8 + length :])) == "not-canonical"


# ------------------------------------------------------------------ JSON


def test_canonical_json_sorts_and_keeps_no_space() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"n": 1 << 53}, [-(1 << 60)]])
def test_numbers_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(Rejected) as caught:
        canonical_json(value)
    assert caught.value.reason == "bad-json"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "bad-json"),
        (b"{", "bad-json"),
        (b"\xff", "bad-json"),
        (b"[" * 100_000, "bad-json"),
        (b"{} ", "not-canonical"),
        (b"\xef\xbb\xbf{}", "not-canonical"),
        (b'{"a": 1}', "not-canonical"),
        (b"1.0", "not-canonical"),
        (b"NaN", "bad-json"),
        (b"-Infinity", "bad-json"),
        (b'"\\ud800"', "bad-json"),
        (b"9" * 5000, "bad-json"),
    ],
)
def test_a_document_that_is_not_canonical_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_json(data, max_bytes=1 << 20, what="sheet")
    assert caught.value.reason == why
    assert "sheet" in str(caught.value)


def test_a_document_over_its_cap_is_not_parsed() -> None:
    with pytest.raises(Rejected) as caught:
        parse_json(b"[" * 1000, max_bytes=999, what="sheet")
    assert caught.value.reason == "too-large"


def test_attack_a_header_larger_than_any_is_not_read() -> None:
    """All of it is there, so the file's own length refuses nothing."""
    length = MAX_HEADER_BYTES + 1
    with pytest.raises(Rejected, match="over its cap") as refused:
        decode_tensors(length.to_bytes(8, "little") + b" " * length, max_bytes=2 * length, what="test")
    assert refused.value.reason == "truncated"
