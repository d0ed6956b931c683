"""A graph that takes its numbers from a file of weights answers what it did with its own."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy

from captioner.folders.shared_numbers import share_numbers
from captioner.folders.weights import WEIGHTS, open_weights

CHANNELS, SIDE = 48, 5
RNG = np.random.default_rng(0)
STORED = {  # as Keras has them: rows, columns, channels, filters
    "deep": RNG.normal(size=(3, 3, CHANNELS, 1)).astype(np.float16),
    "wide": RNG.normal(size=(1, 1, CHANNELS, 40)).astype(np.float16),
}
DEEP, WIDE = STORED["deep"].transpose(2, 3, 0, 1), STORED["wide"].transpose(3, 2, 0, 1)


@pytest.mark.parametrize(("kernel", "groups"), [(DEEP, CHANNELS), (WIDE, 1)], ids=["deep", "wide"])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_kernel_whose_filters_are_scaled(tmp_path, kernel, groups, scaled):
    factors = RNG.uniform(0.5, 2.0, (len(kernel), 1, 1, 1)) if scaled else 1.0
    values = (kernel.astype(np.float64) * factors).astype(np.float32)
    tensor = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    node = onnx.helper.make_node("Conv", ["x", "kernel"], ["y"], group=groups)
    inputs, outputs = [tensor("x", [1, CHANNELS, SIDE, SIDE])], [tensor("y", [1, len(kernel), None, None])]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs, [onnx.numpy_helper.from_array(values, "kernel")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    x = {"x": RNG.normal(size=(1, CHANNELS, SIDE, SIDE)).astype(np.float32)}
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, x)[0]

    safetensors.numpy.save_file(STORED, tmp_path / WEIGHTS)
    with open_weights(tmp_path / WEIGHTS) as weights:
        share_numbers(model, weights)
    onnx.save(model, tmp_path / "one.onnx")
    assert sum(len(tensor.raw_data) for tensor in model.graph.initializer) < values.nbytes / 2
    answer = onnxruntime.InferenceSession(tmp_path / "one.onnx").run(None, x)[0]
    np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=1e-4)
