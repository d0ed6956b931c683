"""Graphs in a model folder that are damaged, swapped or made to harm: each is refused in one line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
import safetensors.numpy

from captioner import Captioner, ModelError
from captioner.folders.folder import write_manifest

GRAPHS = ["encoder.onnx", "step.onnx"]
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(root, tmp_path):
    return shutil.copytree(root / "models" / "shapes", tmp_path / "copy")


def refused(folder) -> str:
    with pytest.raises(ModelError) as error:
        Captioner.from_pretrained(folder, "onnx")
    text = str(error.value)
    assert str(folder) in text and "\n" not in text and len(text) < 2100, text
    return text


def changed(folder, name: str, change) -> None:
    graph = onnx.load(folder / name, load_external_data=False)
    change(graph)
    (folder / name).write_bytes(graph.SerializeToString())
    write_manifest(folder)


def outside(model) -> onnx.TensorProto:
    """The first tensor whose numbers lie in the file of weights."""
    return next(t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)


def tell(tensor, key: str, value) -> None:
    next(entry for entry in tensor.external_data if entry.key == key).value = str(value)


def another_file(model):
    tell(outside(model), "location", "vocabulary.txt")


def a_secret(model):
    tell(outside(model), "location", "/etc/passwd")


def a_file_above(model):
    tell(outside(model), "location", "../secret")


def beyond_the_file(model):
    tell(outside(model), "offset", 10**12)


def beside_its_place(model):
    tensor = outside(model)
    tell(tensor, "offset", int(next(e.value for e in tensor.external_data if e.key == "offset")) + 2)


def longer(model):
    tensor = outside(model)
    tell(tensor, "length", int(next(e.value for e in tensor.external_data if e.key == "length")) + 2)


def of_another_shape(model):
    tensor = outside(model)
    tensor.dims[:] = [int(np.prod(tensor.dims))] if len(tensor.dims) > 1 else [1, *tensor.dims]


def of_another_type(model):
    outside(model).data_type = onnx.TensorProto.BFLOAT16


def of_no_name(model):
    outside(model).name = "decoder/none"


def one_more_entry(model):
    outside(model).external_data.add(key="checksum", value="0")


def told_twice(model):
    outside(model).external_data.add(key="location", value="/etc/passwd")


def no_entries(model):
    del outside(model).external_data[:]


def in_a_node(model):
    tensor = onnx.TensorProto(dims=[4], data_type=onnx.TensorProto.FLOAT, data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["secret"], value=tensor))


def in_a_branch(model):
    inner = onnx.helper.make_graph([], "inner", [], [])
    inner.initializer.append(onnx.TensorProto(name="x", dims=[4], data_type=1, data_location=1))
    inner.initializer[0].external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(onnx.helper.make_node("If", ["a"], ["b"], then_branch=inner, else_branch=inner))


def in_a_function(model):
    function = model.functions.add(name="f", domain="d")
    in_a_node(onnx.ModelProto(graph=onnx.GraphProto()))
    tensor = onnx.TensorProto(dims=[4], data_type=1, data_location=1)
    tensor.external_data.add(key="location", value="/etc/passwd")
    function.node.append(onnx.helper.make_node("Constant", [], ["secret"], value=tensor))


HARMS = [another_file, a_secret, a_file_above, beyond_the_file, beside_its_place, longer, of_another_shape]
HARMS += [of_another_type, of_no_name, one_more_entry, told_twice, no_entries, in_a_node, in_a_branch, in_a_function]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", GRAPHS)
def test_numbers_from_elsewhere(folder, name, harm):
    (folder.parent / "secret").write_bytes(bytes(1000))
    changed(folder, name, harm)
    text = refused(folder)
    assert name in text and "make the graphs again" in text


@pytest.mark.parametrize("name", [*GRAPHS, "graphs.json"])
@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"{}", b"[" * 100_000, b"\xff" * 4000, b"\x3a" * 5000, b"\x08\x00\x00\x00ORTM" + bytes(100)]
)
def test_parts_that_are_no_graphs(folder, name, data):
    (folder / name).write_bytes(data)
    refused(folder)
    write_manifest(folder)
    refused(folder)


@pytest.mark.parametrize("name", GRAPHS)
def test_bits_turned_over_and_bytes_cut_away(folder, name):
    data = (folder / name).read_bytes()
    rng = np.random.default_rng(2)
    for place in rng.integers(0, len(data), 10):
        turned = bytearray(data)
        turned[place] ^= 1 << int(rng.integers(8))
        for damaged in (bytes(turned), data[:place], data[:place] + b"\x01" + data[place:]):
            (folder / name).write_bytes(damaged)
            assert "is not the file the manifest names" in refused(folder)


def test_a_link_in_place_of_the_weights_or_a_graph(folder, tmp_path):
    for name in (*GRAPHS, WEIGHTS):
        shutil.move(folder / name, tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        assert "is a link" in refused(folder)
        (folder / name).unlink()
        shutil.move(tmp_path / name, folder / name)


@pytest.mark.parametrize("missing", [*GRAPHS, "graphs.json"])
def test_graphs_come_together(folder, missing):
    (folder / missing).unlink()
    assert f"{missing} is missing" in refused(folder)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_of_another_model(folder, root, name):
    shutil.copy(root / "models" / "photos" / name, folder / name)
    assert "is not the file the manifest names" in refused(folder)
    write_manifest(folder)
    refused(folder)


def test_graphs_that_stand_in_each_others_place(folder):
    shutil.copy(folder / "step.onnx", folder / "encoder.onnx")
    write_manifest(folder)
    assert "holds no encoder and step of a captioner" in refused(folder)


def test_weights_of_another_model_or_none(folder, root):
    shutil.copy(root / "models" / "photos" / WEIGHTS, folder / WEIGHTS)
    write_manifest(folder)
    refused(folder)


def test_weights_that_are_not_finite(folder):
    numbers = safetensors.numpy.load_file(folder / WEIGHTS)
    numbers["decoder/E"][0, 0] = np.nan
    safetensors.numpy.save_file(numbers, folder / WEIGHTS)
    write_manifest(folder)
    assert "'decoder/E' holds values that are not finite" in refused(folder)


@pytest.mark.parametrize("grid", [[1, 1], [2, 3], [10**9, 1], "x", None])
def test_a_grid_that_is_not_the_models(folder, grid):
    (folder / "graphs.json").write_text(json.dumps({"kind": "graphs", "grid": grid}))
    write_manifest(folder)
    refused(folder)


def test_a_vocabulary_of_other_words(folder):
    with (folder / "vocabulary.txt").open("a") as file:
        file.write("more\n")
    write_manifest(folder)
    assert "holds no array of 32 words" in refused(folder)


def test_an_exported_graph_holds_its_numbers_itself(folder):
    """A folder of kind "onnx" has no file of weights that a graph could name."""
    (folder / WEIGHTS).rename(folder / "export.json")
    (folder / "export.json").write_text((folder / "graphs.json").read_text())
    (folder / "graphs.json").unlink()
    write_manifest(folder, "onnx")
    assert "takes the numbers of" in refused(folder)


def test_graphs_that_the_manifest_does_not_name_are_not_run(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in (*GRAPHS, "graphs.json"):
        del manifest["sha256"][name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "encoder.onnx").write_bytes(b"harm")
    assert type(Captioner.from_pretrained(folder).runtime).__name__ == "KerasRuntime"
