"""The notebook of the documentation runs as it stands, and shows what it says."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.mark.slow
def test_the_notebook_captions_a_folder_shows_masks_and_filters(root, monkeypatch):
    path = root / "docs" / "notebooks" / "captions.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "outputs are not committed; clear them"
    monkeypatch.setenv("PYTHONPATH", str(root))
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": path.parent}}).execute()
    printed, shown = [], []
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        printed.append(output.get("text", ""))
        shown += output.get("data", {}).items()
    examples = sorted(path.name for path in (root / "demo" / "examples").iterdir() if path.suffix in (".jpg", ".png"))
    assert [line.split()[0] for line in printed[0].splitlines()] == examples
    page = next(content for kind, content in shown if kind == "text/html")
    assert page.count("where the network looked for") == len(printed[0].splitlines()[2].split()) - 1
    assert "image/png" in dict(shown)
    assert f"of {len(examples)} written to" in "".join(printed)
