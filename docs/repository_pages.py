"""A hook of MkDocs: links out of docs/ lead to a copy of the file in the site, so that they hold offline.

Pages in docs/ link to sources, model cards and the like by relative paths, as a reader of the repository needs them.
Each file that is linked so becomes a page repository/PATH of the site: Markdown as it is, anything else as a listing. A
link to what does not exist is a warning, which `mkdocs build --strict` makes an error.
"""

from __future__ import annotations

import logging
import os.path
import pathlib
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = "repository/"
ALWAYS = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")  # what the navigation names
CODE = re.compile(r"^(`{3,}).*?^\1`*$|^(?: {4}|\t)[^\n]*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".csv": "text", ".sh": "sh", "": "sh"}
log = logging.getLogger("mkdocs.hooks.repository_pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every file of the repository that a page links to, directly or by way of another such page."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()] + list(ALWAYS)
    seen = set(waiting)
    for path in ALWAYS:
        files.append(_page(path, config))
    while waiting:
        path = waiting.pop()
        if not path.endswith(".md"):
            continue
        for target in _links(path):
            if target not in seen and not target.startswith("docs/") and (ROOT / target).is_file():
                seen.add(target)
                waiting.append(target)
                files.append(_page(target, config))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each relative link of a page at the page of the site that shows its target."""
    source = _origin(page.file.src_uri)

    def aim(match: re.Match) -> str:
        target = _target(source, match[2])
        if target is None or (source.startswith("docs/") and target.startswith("docs/")):
            return match[0]  # a link within docs/, which MkDocs checks itself
        if not (ROOT / target).is_file():
            log.warning("%s links to %s, which is no file of the repository", source, target)
            return match[0]
        site = target.removeprefix("docs/") if target.startswith("docs/") else _name(target)
        link = posixpath.relpath(site, posixpath.dirname(page.file.src_uri) or ".")
        return f"{match[1]}{link}{match[3] or ''}{match[4]}"

    return _outside_code(markdown, lambda text: LINK.sub(aim, text))


def _page(path: str, config: MkDocsConfig) -> File:
    file = ROOT / path
    if file.suffix.lower() in {".jpg", ".png", ".webp"}:
        return File.generated(config, _name(path), abs_src_path=str(file))
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".md":
        fence = "`" * 5
        language = LANGUAGES.get(file.suffix, "text")
        text = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n{fence}{language}\n{text}\n{fence}\n"
    return File.generated(config, _name(path), content=text)


def _name(path: str) -> str:
    """The name in the site's sources of a file of the repository."""
    return HOME + (path if pathlib.PurePosixPath(path).suffix in {".md", ".jpg", ".png", ".webp"} else f"{path}.md")


def _origin(src_uri: str) -> str:
    """The file of the repository that a page of the site shows."""
    if not src_uri.startswith(HOME):
        return f"docs/{src_uri}"
    path = src_uri.removeprefix(HOME)
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def _links(path: str) -> list[str]:
    found: list[str] = []

    def note(text: str) -> str:
        found.extend(target for match in LINK.finditer(text) if (target := _target(path, match[2])))
        return text

    _outside_code((ROOT / path).read_text(encoding="utf-8"), note)
    return found


def _target(source: str, link: str) -> str | None:
    """The file of the repository that a link leads to; None for an address."""
    if re.match(r"[a-z]+:", link):
        return None
    return os.path.normpath(posixpath.join(posixpath.dirname(source), link))


def _outside_code(markdown: str, change) -> str:
    """The text with `change` made to what is no code."""
    parts, end = [], 0
    for match in CODE.finditer(markdown):
        parts += [change(markdown[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(markdown[end:])])
