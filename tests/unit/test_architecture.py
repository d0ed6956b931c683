"""The arrows of the house: who may know whom. Imports are read from the source, wherever in a file they stand."""

from __future__ import annotations

import ast
import collections
import graphlib
import itertools
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from captioner import _HOMES as LAZY_NAMES

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 400

STRANGERS = {
    "captioner": {"training", "demo", "tests"},
    "training": {"demo", "tests"},
    "demo": {"training", "tests"},
}
# One rule a room: it may know the rooms behind its name, and whatever those may know. A file outside all folders is a
# room of its own.
ROOMS = {
    "captioner": {
        "errors": "",
        "quiet": "errors",
        "progress": "errors",
        "config": "errors",
        "vocabulary": "errors",
        "pictures": "errors",
        "drawing": "pictures",
        "wording": "",
        "sidecar": "",
        "caption": "drawing vocabulary wording sidecar",
        "confidence": "caption config",
        "network.class_maps": "config",
        "network.encoder": "network.class_maps",
        "network.attention": "config",
        "network.context": "network.attention",
        "network.decoder": "network.context",
        "network": "network.encoder network.decoder",
        "search": "network vocabulary",
        "folders": "network vocabulary",
        "runtimes": "folders search quiet",
        "export": "folders search quiet",
        "requiring": "caption",
        "album.finding": "pictures",
        "evidence": "folders",
        "sources": "album.finding pictures",
        "captioner": "sources confidence evidence requiring runtimes",
        "album": "album.finding caption folders requiring",
        "commands": "folders progress",
        "asking": "album progress quiet",
        "alt": "asking captioner",
        "__main__": "alt commands",
        "cluster": "album captioner",
        "bulk": "cluster",
        "serve": "cluster",
    },
    "training": {
        "commands": "",
        "config": "",
        "progress": "",
        "workdir": "",
        "hosts": "",
        "data": "hosts progress workdir",
        "evaluation": "data",
        "engine": "config evaluation",
        "reports": "engine",
        "doctor": "reports",
        "comparison": "",
        "shapes": "data",
        "prepare": "commands doctor shapes",
        "borrow": "commands data",
        "calibrate": "commands evaluation",
        "train": "commands reports",
        "evaluate": "commands reports",
        "compare": "commands comparison engine shapes",
    },
}
KNOWN = {
    f"{package}.{room}": {f"{package}.{name}" for name in known.split()}
    for package, rules in ROOMS.items()
    for room, known in rules.items()
}
# What stands here knows neither Keras nor a backend: whole rooms, and the files of others that run without.
PLAIN = (
    "errors",
    "progress",
    "config",
    "vocabulary",
    "pictures",
    "drawing",
    "caption",
    "confidence",
    "evidence",
    "wording",
    "requiring",
    "sidecar",
    "album",
    "search.controls",
    "search.neutral",
    "search.in_numpy",
    "search.strategies",
    "folders.finding",
    "folders.folder",
    "folders.hub",
    "folders.weights",
    "folders.onnx_graphs",
    "folders.shared_numbers",
    "runtimes.onnx",
)
BACKENDS = {"tensorflow", "jax", "jaxlib", "torch"}
BACKEND_HOMES = ("captioner.export", "captioner.runtimes", "captioner.quiet", "training.hosts.joined")
CLUSTER_HOMES = ("captioner.cluster", "captioner.bulk", "captioner.serve")


class Import(NamedTuple):
    source: str  # the module that imports
    place: str  # its file and line
    target: str  # what it imports: a module of the house, or the name of a package


class House:
    """The modules of a checkout and what each of them imports."""

    def __init__(self, root: pathlib.Path = ROOT):
        self.root = root
        paths = [path for package in STRANGERS for path in sorted((root / package).rglob("*.py"))]
        self.files = {_dotted(path.relative_to(root)): path for path in paths}
        self.imports = {module: list(self._read(module)) for module in self.files}

    def _read(self, module: str) -> Iterator[Import]:
        path = self.files[module]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            place = f"{path.relative_to(self.root).as_posix()}:{getattr(node, 'lineno', 0)}"
            for name in _names(node, package):
                yield Import(module, place, self._resolve(name))

    def _resolve(self, name: str) -> str:
        """The module of the house that a dotted name leads to; the top package where it leads outside."""
        package, _, attribute = name.partition(".")
        if package == "captioner" and attribute in LAZY_NAMES:
            return LAZY_NAMES[attribute]
        while name not in self.files and "." in name:
            name = name.rpartition(".")[0]
        return name

    def reach(self, module: str) -> dict[str, list[Import]]:
        """Every module and package that comes with `module`, each with the imports that lead to it."""
        chains: dict[str, list[Import]] = {module: []}
        queue = collections.deque([module])
        while queue:
            for step in self.imports.get(source := queue.popleft(), ()):
                for target in _with_parents(step.target):
                    if target not in chains:
                        chains[target] = [*chains[source], step]
                        queue.append(target)
        return chains

    def plain_faults(self) -> Iterator[str]:
        """Plain modules that bring Keras or a backend along."""
        plain = {f"captioner.{name}" for name in PLAIN}
        for module in self.files:
            if plain.isdisjoint(_with_parents(module)):
                continue
            for target, steps in self.reach(module).items():
                if target in {"keras", *BACKENDS}:
                    yield f"{_chain(steps)}: {module} may not bring {target} along"

    def room_faults(self) -> Iterator[str]:
        """Modules that know a room which theirs may not."""
        for step in self._steps():
            own, other = _room(step.source), _room(step.target)
            if own and other and own.partition(".")[0] == other.partition(".")[0] and other not in _reachable(own):
                yield f"{step.place}: {own} may not know {other}"

    def homeless_faults(self) -> Iterator[str]:
        """Modules that stand in no room."""
        for module in self.files:
            if module.partition(".")[0] in ROOMS and "." in module and not _room(module):
                yield f"{module}: stands in no room; move it into one, or give it a rule in ROOMS"

    def circle_faults(self) -> Iterator[str]:
        """Modules that know themselves by way of others."""
        for module in self.files:
            for target in (step.target for step in self.imports[module] if step.target in self.files):
                if module in self._known_to(target):
                    yield f"{module} -> {target} -> {module}: a circle"

    def _known_to(self, module: str) -> set[str]:
        known, queue = set(), [module]
        while queue:
            source = queue.pop()
            if source not in known:
                known.add(source)
                queue += [step.target for step in self.imports.get(source, ())]
        return known

    def stranger_faults(self) -> Iterator[str]:
        """Packages that know one they must not."""
        for step in self._steps():
            package = step.source.partition(".")[0]
            if step.target.partition(".")[0] in STRANGERS[package]:
                yield f"{step.place}: {package} may not know {step.target}"

    def backend_faults(self) -> Iterator[str]:
        """Code bound to one backend outside its homes."""
        for step in self._steps():
            if step.target in BACKENDS and set(BACKEND_HOMES).isdisjoint(_with_parents(step.source)):
                yield f"{step.place}: imports {step.target}; use keras.ops or move it to {' or '.join(BACKEND_HOMES)}"

    def cluster_faults(self) -> Iterator[str]:
        """Code that needs Ray or pyarrow outside its homes: most who caption photos have neither."""
        for step in self._steps():
            if step.target in {"ray", "pyarrow"} and set(CLUSTER_HOMES).isdisjoint(_with_parents(step.source)):
                yield f"{step.place}: imports {step.target}; move it to {' or '.join(CLUSTER_HOMES)}"

    def _steps(self) -> Iterator[Import]:
        return itertools.chain.from_iterable(self.imports.values())


def _dotted(path: pathlib.PurePath) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str | None:
    """captioner.network.attention.additive stands in captioner.network.attention, captioner itself in no room."""
    return next((name for name in reversed(_with_parents(module)) if name in KNOWN), None)


def _reachable(room: str) -> set[str]:
    """A room, those it may know, and whatever those may know."""
    return {room}.union(*(_reachable(other) for other in KNOWN[room]))


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _chain(steps: list[Import]) -> str:
    return " -> ".join(step.place for step in steps)


def _names(node: ast.AST, package: str) -> Iterator[str]:
    """The dotted names that a node of the syntax tree imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: -node.level + 1 or None] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.mark.parametrize(
    "rule",
    [
        "plain_faults",
        "room_faults",
        "homeless_faults",
        "circle_faults",
        "stranger_faults",
        "backend_faults",
        "cluster_faults",
    ],
)
def test_arrows_point_one_way(house, rule):
    faults = list(getattr(house, rule)())
    assert not faults, "\n".join(["", *faults])


def test_rooms_of_the_plan_exist(house):
    planned = {*KNOWN, *(f"captioner.{name}" for name in PLAIN), *BACKEND_HOMES}
    missing = sorted(planned - house.files.keys())
    assert not missing, f"{', '.join(missing)}: named in this test and not there; if it was renamed, rename it here"


def test_no_circle_between_rooms():
    order = list(graphlib.TopologicalSorter(KNOWN).static_order())
    assert sorted(order) == sorted(KNOWN)  # every room that a rule names has a rule itself


def test_files_are_short():
    paths = [path for folder in (*STRANGERS, "tests", "docs") for path in (ROOT / folder).rglob("*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    long = [f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in lengths.items() if lines > MAX_LINES]
    assert not long, "\n".join(["", *long, f"a file of more than {MAX_LINES} lines is two files"])


@pytest.mark.parametrize("modules", [["captioner"], ["captioner", *(f"captioner.{name}" for name in PLAIN)]])
def test_light_import(modules):
    heavy = sorted(BACKENDS | {"keras"})
    code = f"import sys, {', '.join(modules)}; print(*[name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [], f"importing {', '.join(modules)} loads {result.stdout.strip()}"


@pytest.mark.parametrize(
    ("file", "code", "rule", "fault"),
    [
        (
            "captioner/pictures/geometry.py",
            "import numpy\ndef f():\n    import keras.ops",
            "plain_faults",
            "geometry.py:3",
        ),
        (
            "captioner/pictures/geometry.py",
            "from captioner import Captioner",
            "plain_faults",
            "-> captioner/captioner.py:1",
        ),
        (
            "captioner/pictures/geometry.py",
            "from ..helper import f",
            "plain_faults",
            "geometry.py:1 -> captioner/helper.py:1",
        ),
        ("captioner/network/model.py", "from ..folders import keras_folder", "room_faults", "model.py:1"),
        ("captioner/network/encoder.py", "import captioner.network.attention.additive", "room_faults", "encoder.py:1"),
        ("captioner/network/attention/additive.py", "from ..decoder import Decoder", "room_faults", "additive.py:1"),
        ("captioner/config.py", "from training.engine import losses", "stranger_faults", "config.py:1"),
        ("demo/app.py", "import importlib\nimportlib.import_module('training.train')", "stranger_faults", "app.py:2"),
        (
            "captioner/search/in_graph.py",
            "if True:\n    from tensorflow import function",
            "backend_faults",
            "in_graph.py:2",
        ),
        ("captioner/network/model.py", "from captioner.network.decoder import Decoder", "room_faults", None),
        ("captioner/search/graphs.py", "from ..network.attention import additive", "room_faults", None),
        ("captioner/pictures/tags.py", "from captioner import config", "room_faults", "tags.py:1"),
        ("captioner/utilities.py", "", "homeless_faults", "captioner.utilities: stands in no room"),
        (
            "captioner/search/controls.py",
            "from captioner.search import tracing",
            "plain_faults",
            "-> captioner/search/",
        ),
        (
            "captioner/pictures/colours.py",
            "from .tags import f",
            "circle_faults",
            "colours -> captioner.pictures.tags ->",
        ),
        ("captioner/pictures/tags.py", "from .. import pictures", "circle_faults", None),
        ("training/data/features.py", "def f():\n    from training.engine import run", "room_faults", "features.py:2"),
        ("training/engine/run.py", "from training.data import features", "room_faults", None),
        ("training/reports/page.py", "import training.compare", "room_faults", "page.py:1"),
        ("captioner/runtimes/saved.py", "import tensorflow", "backend_faults", None),
        ("captioner/exporter.py", "import tensorflow", "backend_faults", "exporter.py:1"),
        ("captioner/album/run.py", "from ray import data", "cluster_faults", "run.py:1"),
        ("captioner/cluster/pool.py", "from ray import data", "cluster_faults", None),
    ],
)
def test_a_planted_fault_is_named(tmp_path, file, code, rule, fault):
    sources = {
        "captioner/captioner.py": "import keras",
        "captioner/helper.py": "from keras import ops",
        "captioner/config.py": "",
        "captioner/pictures/__init__.py": "",
        "captioner/pictures/tags.py": "def f():\n    from captioner.pictures import colours",
        "captioner/search/tracing.py": "import keras",
        "captioner/network/attention/__init__.py": "",
        "captioner/network/attention/additive.py": "import keras",
        "captioner/network/decoder.py": "import keras",
        "captioner/folders/keras_folder.py": "import keras",
        "training/compare.py": "",
        "training/data/features.py": "",
        "training/engine/run.py": "",
        "training/train.py": "",
        file: code,
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    faults = list(getattr(House(tmp_path), rule)())
    assert bool(faults) == bool(fault), faults
    assert fault is None or any(fault in line for line in faults), faults
