"""What `make` installs is named by version and hash and is what the requirements ask for; else run `make lock`."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re

import pytest

LOCKED = re.compile(
    r"^([a-z0-9._-]+)==([^ ;]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


@pytest.fixture(scope="module")
def lock(root):
    loader = importlib.machinery.SourceFileLoader("lock", str(root / ".ci" / "lock"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("lock", loader))
    loader.exec_module(module)
    return module


def spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(params=["requirements.lock", "requirements-dev.lock", "requirements-docs.lock"])
def name(request):
    return request.param


def test_the_lock_is_current(root, lock, name):
    head = (root / name).read_text(encoding="utf-8").splitlines(keepends=True)[0]
    assert head == lock.head(lock.LOCKS[name]), f"{lock.LOCKS[name]} has changed; run: make lock"


def test_every_requirement_is_locked_at_its_version(root, lock, name):
    text = (root / name).read_text(encoding="utf-8")
    locked = {(package, version) for package, version, _ in LOCKED.findall(text)}
    for requirement in lock.requirements(root / lock.LOCKS[name]):
        package, _, version = requirement.partition("==")
        package = package.partition("[")[0]  # what extras bring is locked by name
        assert (spelled(package), version) in locked, f"{requirement} is not in {name}; run: make lock"


def test_nothing_is_locked_without_a_hash_or_by_an_address(root, name):
    text = (root / name).read_text(encoding="utf-8")
    assert (
        text.count("==") >= {"requirements-docs.lock": 30}.get(name, 50)
        and "://" not in text
        and "index-url" not in text
    )
    left = LOCKED.sub("", text.split("\n", 1)[1]).strip()
    assert left == ""


def test_what_is_used_has_the_versions_that_are_tested(root):
    used, tested = (
        {
            package: version
            for package, version, _ in LOCKED.findall((root / f"{stem}.lock").read_text(encoding="utf-8"))
        }
        for stem in ("requirements", "requirements-dev")
    )
    assert used.items() <= tested.items()


def test_make_installs_by_hash(root):
    text = (root / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in text.splitlines() if "$(PIP) install" in line and " -r " in line]
    assert len(installs) == 2 and all("--require-hashes" in line for line in installs)
