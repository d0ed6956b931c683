"""Files of weights read back as float16, and one that is damaged or made to harm is refused."""

from __future__ import annotations

import json
import pathlib
import random

import numpy as np
import pytest
import safetensors.numpy

from captioner import ModelError
from captioner.folders.weights import open_weights, write_weights


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    with open_weights(path) as weights:
        return {name: weights.read(name) for name in weights.shapes}


def raw(path: pathlib.Path, header, numbers: bytes = b"") -> pathlib.Path:
    """A file with just this header, a value for JSON or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return path


def entry(shape, start: int, end: int, dtype: str = "F16") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_types_and_shapes(tmp_path, shape, dtype):
    wanted = np.asarray(np.random.default_rng(0).normal(size=shape) * 100, dtype)
    write_weights(tmp_path / "a", {"a/b": wanted})
    got = read(tmp_path / "a")["a/b"]
    assert got.dtype == np.float16 and got.shape == shape
    np.testing.assert_array_equal(got, wanted.astype(np.float16))


def test_turned_arrays_are_written_as_they_look(tmp_path):
    wanted = np.arange(6, dtype="f4").reshape(2, 3)
    write_weights(tmp_path / "a", {"a": wanted.T})
    np.testing.assert_array_equal(read(tmp_path / "a")["a"], wanted.T)


def test_numbers_out_of_range_become_the_largest(tmp_path):
    write_weights(tmp_path / "a", {"a": np.float32([0, 1, -0.5, 65504, 1e9, -1e9])})
    np.testing.assert_array_equal(read(tmp_path / "a")["a"], np.float16([0, 1, -0.5, 65504, 65504, -65504]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_neither_written_nor_read(tmp_path, value):
    with pytest.raises(ModelError, match="weight a holds values that are not finite; nothing was written"):
        write_weights(tmp_path / "a", {"a": np.float32([0, value])})
    assert not (tmp_path / "a").exists()
    (tmp_path / "b").write_bytes(safetensors.numpy.save({"a": np.float16([0, value])}))
    with pytest.raises(ModelError, match="'a' holds values that are not finite"):
        read(tmp_path / "b")


@pytest.mark.parametrize(
    ("header", "numbers", "message"),
    [
        ({"a": entry([2], 0, 4)}, b"", "not fully covered"),
        ({"a": entry([2], 0, 4)}, b"12345", "not fully covered"),
        ({"a": entry([2], 4, 8)}, b"12345678", "invalid offset"),
        ({"a": entry([2], 0, 4), "b": entry([2], 0, 4)}, b"1234", "invalid offset"),
        ({"a": entry([2], 0, 4), "b": entry([2], 2, 6)}, b"123456", "invalid offset"),
        ({"a": entry([5_000_000_000], 0, 10_000_000_000)}, b"1234", "not fully covered"),
        ({"a": entry([5_000_000_000], 0, 4)}, b"1234", "invalid shape"),
        ({"a": entry([2**40, 2**40], 0, 4)}, b"1234", "overflow"),
        ({"a": entry([-2], 0, 4)}, b"1234", "invalid JSON in header"),
        ({"a": entry([1], 0, 4, "F32")}, b"1234", "'a' is F32; weights are stored as F16"),
        ({"a": entry([2], 0, 4, "BF16")}, b"1234", "'a' is BF16; weights are stored as F16"),
        ({"a": entry([4], 0, 4, "I8")}, b"1234", "'a' is I8; weights are stored as F16"),
        ({"a": entry([1], 0, 4, "object")}, b"1234", "invalid JSON in header"),
        ({"a": {"dtype": "F16", "shape": [2], "location": "/etc/passwd"}}, b"", "invalid JSON in header"),
        (b"[" * 100_000, b"", "invalid JSON in header|InvalidHeaderStart"),
        (b'{"a": \xff}', b"", "header"),
        (b"", b"", "header"),
    ],
)
def test_headers_made_to_harm(tmp_path, header, numbers, message):
    path = raw(tmp_path / "a", header, numbers)
    with pytest.raises(ModelError, match=message) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("length", [4_000_001, 10**8, 2**63, 2**64 - 1])
def test_a_header_that_claims_too_much_is_not_read(tmp_path, length):
    (tmp_path / "a").write_bytes(length.to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelError, match="its header claims .* bytes, more than 4,000,000"):
        read(tmp_path / "a")


@pytest.mark.parametrize("data", [b"", b"1234567", b"\x89HDF\r\n\x1a\n" + bytes(100), b"\x80\x04\x95" + bytes(100)])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ModelError, match="no file of weights that can be read"):
        read(tmp_path / "a")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path / "a")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"a": (2,), "b": (3,), "c": (1,)}, "it has no 'c'"),
        ({"a": (2,)}, "it holds 'b', which the network has not"),
        ({"a": (2,), "b": (1, 3)}, r"'b' has shape \(3,\) and in the network \(1, 3\)"),
    ],
)
def test_names_and_shapes_are_those_of_the_network(tmp_path, wanted, message):
    write_weights(tmp_path / "a", {"a": np.zeros(2), "b": np.zeros(3)})
    with open_weights(tmp_path / "a") as weights:
        weights.compare({"a": (2,), "b": (3,)}, tmp_path / "config.json")
        with pytest.raises(ModelError, match=f"a does not fit .*config.json: {message}"):
            weights.compare(wanted, tmp_path / "config.json")


def test_damage_is_never_more_than_refused(tmp_path):
    """Bytes changed, cut away, or put in."""
    write_weights(tmp_path / "a", {f"layer_{i}/kernel": np.arange(i) for i in range(1, 12)})
    whole = (tmp_path / "a").read_bytes()
    rng = random.Random(0)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] = rng.randrange(256)
        for data in (bytes(changed), whole[:place], whole[:place] + b"\x01" + whole[place:]):
            (tmp_path / "b").write_bytes(data)
            try:
                assert sum(values.nbytes for values in read(tmp_path / "b").values()) <= len(whole)
            except ModelError as error:
                assert "\n" not in str(error)
