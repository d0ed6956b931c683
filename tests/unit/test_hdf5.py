"""Our reader of HDF5 reads what h5py writes, number for number, and refuses the rest without a fault."""

from __future__ import annotations

import pathlib
import random

import h5py
import numpy as np
import pytest

from captioner.hdf5 import File, Unreadable


def written(path: pathlib.Path, fill) -> bytes:
    with h5py.File(path, "w", libver="latest") as file:
        fill(file)
    return path.read_bytes()


def read(data: bytes) -> dict[str, np.ndarray]:
    file = File(data)
    return {name: file.read(name) for name in file.arrays}


def values(shape, dtype="f4") -> np.ndarray:
    return (np.random.default_rng(0).normal(size=shape) * 100).astype(dtype)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u4", "u8"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4, 5), (0,), (0, 4)])
def test_types_and_shapes(tmp_path, dtype, shape):
    wanted = values(shape, dtype)
    got = read(written(tmp_path / "a.h5", lambda file: file.create_dataset("a/b", data=wanted)))["a/b"]
    assert got.dtype == wanted.dtype and got.shape == shape
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("shape", "chunks", "options"),
    [
        ((10, 10), (10, 10), {"compression": "gzip"}),  # a single chunk
        ((10, 10), (10, 10), {}),
        ((100, 70), (33, 17), {"compression": "gzip", "shuffle": True}),  # chunks that stand out
        ((100, 70), (33, 17), {"shuffle": True}),
        ((100, 70), (33, 17), {}),
        ((100, 70), (100, 1), {"compression": "gzip", "compression_opts": 9}),
        ((5, 6, 7), (2, 4, 3), {"compression": "gzip", "shuffle": True}),
        ((3000,), (1,), {}),  # a list of chunks in pages
        ((9000,), (2,), {"compression": "gzip"}),
        ((1000, 1000), True, {"compression": "gzip", "shuffle": True}),
    ],
)
def test_chunks(tmp_path, shape, chunks, options):
    wanted = values(shape, "f2")
    data = written(tmp_path / "a.h5", lambda file: file.create_dataset("a", data=wanted, chunks=chunks, **options))
    np.testing.assert_array_equal(read(data)["a"], wanted)


def test_chunks_one_after_the_other(tmp_path):
    def fill(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4, 4))
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((10, 10))
        array = h5py.Dataset(h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, properties))
        array[...] = values((10, 10))

    np.testing.assert_array_equal(read(written(tmp_path / "a.h5", fill))["a"], values((10, 10)))


def test_an_array_in_its_header(tmp_path):
    def fill(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((5,))
        array = h5py.Dataset(h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, properties))
        array[...] = values((5,))

    np.testing.assert_array_equal(read(written(tmp_path / "a.h5", fill))["a"], values((5,)))


@pytest.mark.parametrize("count", [1, 8, 9, 40, 300, 3000])
def test_groups_of_many(tmp_path, count):
    def fill(file):
        for i in range(count):
            file[f"layers/a_layer_of_the_number_{i}/vars/0"] = np.float32(i)
            file[f"layers/a_layer_of_the_number_{i}/vars"].attrs["name"] = f"layer {i}"

    arrays = read(written(tmp_path / "a.h5", fill))
    assert arrays == {f"layers/a_layer_of_the_number_{i}/vars/0": i for i in range(count)}


def read_by_h5py(path: pathlib.Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


@pytest.mark.parametrize("model", ["flickr8k", "shapes"])
def test_the_models_that_ship(root, model):
    path = root / "models" / model / "model.weights.h5"
    arrays, wanted = read(path.read_bytes()), read_by_h5py(path)
    assert arrays.keys() == wanted.keys()
    assert all(np.array_equal(arrays[name], wanted[name]) for name in wanted)


def soft_link(file):
    file["a"] = h5py.SoftLink("/b")


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.create_dataset("a", data="text"), "is no array of numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(3, "c8")), "is no array of numbers"),
        (lambda file: file.create_dataset("a", data=np.zeros(3, ">f4")), "is no array of numbers"),
        (lambda file: file.create_dataset("a", (3,), "f4", maxshape=(None,)), "is no array of numbers"),
        (lambda file: file.create_dataset("a", (9,), "f4"), "are not in the file"),
        (lambda file: file.create_dataset("a", (9,), "f4", chunks=(3,)), "are not in the file|outside of the file"),
        (lambda file: file.create_dataset("a", data=np.zeros((9, 9)), compression="lzf"), "needs a plug-in"),
        (lambda file: file.create_dataset("a", data=np.zeros((9, 9)), fletcher32=True), "needs a plug-in"),
        (soft_link, "a link to somewhere else"),
    ],
)
def test_what_is_not_read(tmp_path, fill, message):
    with pytest.raises(Unreadable, match=message):
        read(written(tmp_path / "a.h5", fill))


def test_older_files_are_named(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w", libver="earliest") as file:
        file["a"] = 1.0
    with pytest.raises(Unreadable, match="superblock version 0 is not read"):
        read((tmp_path / "old.h5").read_bytes())
    with pytest.raises(Unreadable, match="there is no HDF5"):
        read(b"no such thing, but long enough to hold a superblock")
    with pytest.raises(Unreadable, match="middle of a field"):
        read(b"")


def test_damage_is_never_more_than_unreadable(tmp_path):
    """Each byte of the structures changed, cut away, or one put before it."""

    def fill(file):
        for i in range(12):
            file[f"g/{i}"] = np.arange(i, dtype="f4")
        file.create_dataset("c", data=values((40, 40)), chunks=(16, 16), compression="gzip", shuffle=True)

    whole = written(tmp_path / "a.h5", fill)
    rng = random.Random(0)
    places = rng.sample(range(len(whole)), min(1500, len(whole)))
    for place in places:
        changed = bytearray(whole)
        changed[place] = rng.randrange(256)
        for data in (bytes(changed), whole[:place], whole[:place] + b"\x01" + whole[place:]):
            try:
                for values_read in read(data).values():
                    assert values_read.nbytes < 1_000_000
            except Unreadable:
                pass
