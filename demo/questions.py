"""Questions as they come: whom they ask, and whether they hold what that one needs, before Gradio reads them.

Gradio answers a missing or unknown argument, or one of another type, with nothing that helps, or not at all. What an
endpoint takes is read from its signature, see `demo.api`.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import gradio as gr
import pydantic

from captioner import ConfigError
from captioner.config import Config
from captioner.errors import one_line
from demo.refusals import NONSENSE, Refused

CALL = re.compile(r"/gradio_api/call/(v2/)?([^/]+)/?")
ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?([^/]+)/([^/]+)")
JOIN = "/gradio_api/queue/join"
MAX_LETTERS = 300  # of a refusal

NO_SUCH_QUESTION = Refused(404, "Nobody waits for that answer any more; ask again.")


def _is_upload(value: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        raise ValueError('upload it first, and give {"path": what the upload answered}')
    name = value.get("orig_name")
    if name is not None and not isinstance(name, str):
        raise ValueError("orig_name is a text")
    return value


Upload = Annotated[Any, pydantic.BeforeValidator(_is_upload)]
TYPES = {gr.FileData: Upload, list[gr.FileData]: list[Upload]}


def read_question(body: bytes) -> dict[str, Any]:
    """A JSON object whose text can be written down.

    Raises:
        Refused: it is none.
    """
    try:
        question = json.loads(body)
        json.dumps(question, ensure_ascii=False).encode()  # half of a surrogate pair could never be sent back
    except (ValueError, RecursionError):
        raise NONSENSE from None
    if not isinstance(question, dict):
        raise NONSENSE
    return question


class Questions:
    """What a page can be asked.

    Args:
        page: with its endpoints.
    """

    def __init__(self, page: gr.Blocks):
        self._page = page
        public = {fn.api_name: fn.fn for fn in page.fns.values() if fn.api_visibility == "public"}
        self._arguments = {name: _arguments(fn) for name, fn in public.items()}

    def checked(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """A question with every argument in its place and of its type.

        Args:
            path: of the request.
            question: its JSON.

        Raises:
            Refused: nobody here is called that, or an argument is missing, unknown or of another type.
        """
        if match := CALL.fullmatch(path):
            values = question if match[1] else question.get("data")
            arguments = self._filled(match[2], values)
            return arguments if match[1] else {**question, "data": list(arguments.values())}
        if path == JOIN:
            return {**question, "data": self._joined(question)}
        return question

    def check_waiting(self, path: str) -> None:
        """Refuse to wait for the answer to a question that nobody asked."""
        match, queue = ANSWER.fullmatch(path), self._page._queue
        if match is None:
            return
        self._endpoint(match[1])
        asked = (queue.event_ids_to_events, queue.pending_messages_per_session)
        sessions = queue.pending_event_ids_session.values()
        if not any(match[2] in known for known in (*asked, *sessions)):
            raise NO_SUCH_QUESTION

    def _endpoint(self, name: str) -> type[Config]:
        if name not in self._arguments:
            close = difflib.get_close_matches(name, self._arguments, n=1)
            known = f"did you mean /{close[0]}?" if close else f"there are /{', /'.join(self._arguments)}"
            raise _refused(404, f"there is no endpoint /{name[:100]}: {known}")
        return self._arguments[name]

    def _filled(self, name: str, values: Any) -> dict[str, Any]:
        """Arguments by name, those that were left out as the signature has them."""
        arguments = self._endpoint(name)
        names = list(arguments.model_fields)
        if isinstance(values, list):
            if len(values) > len(names):
                raise _refused(400, f"/{name} takes at most {len(names)} arguments. Received: {len(values)}")
            values = dict(zip(names, values, strict=False))
        if not isinstance(values, dict):
            raise _refused(400, f"/{name} takes its arguments as a list: {', '.join(names)}")
        try:
            return arguments.parse(values).model_dump()
        except ConfigError as error:
            raise _refused(400, f"/{name}: {error}") from None

    def _joined(self, question: dict[str, Any]) -> list[Any]:
        number, data = question.get("fn_index"), question.get("data")
        asked = self._page.fns.get(number) if type(number) is int else None
        if asked is None or not isinstance(data, list):
            raise NONSENSE
        if asked.api_visibility == "public":
            return list(self._filled(asked.api_name, data).values())
        if len(data) != len(asked.inputs):
            raise _refused(400, f"that takes {len(asked.inputs)} values. Received: {len(data)}")
        return data


def _arguments(fn: Callable) -> type[Config]:
    """What a function takes, as a description that reads and checks it."""
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(fn).parameters.items():
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (TYPES.get(parameter.annotation, parameter.annotation), default)
    return pydantic.create_model(fn.__name__, __base__=Config, **fields)


def _refused(status: int, text: str) -> Refused:
    text = one_line(text)
    return Refused(status, text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}…")
