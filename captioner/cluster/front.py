"""The front of the service: HTTP in, questions to the replicas, JSON out."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import prometheus_client as prometheus
from fastapi import FastAPI, File, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, RayServeException, RequestCancelledError
from ray.serve.handle import DeploymentHandle

from captioner import __version__
from captioner.cluster.answers import CaptionAnswer, ModelAnswer, Refusal, Unread
from captioner.cluster.body_limits import RETRY_SECONDS, BodyLimits, Refused, busy, too_long
from captioner.cluster.replica import Answer, Ask
from captioner.config import DecodingOptions
from captioner.errors import ConfigError, one_line
from captioner.pictures.uploads import MAX_PHOTO

MAX_PHOTOS = 64  # of one request
MOST = 256  # requests at once
TRIES = 8  # of a question whose replica died
PAUSE = 0.2  # seconds before it is asked again; twice as long each time
READY_SECONDS = 5.0  # in which a replica has to say that it is there

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": text}
    for status, text in (
        (408, "The body took too long to arrive."),
        (413, "The body is too long."),
        (422, "The photo cannot be read, or an option is wrong."),
        (503, "Too many questions wait already; Retry-After says when to ask again."),
    )
}
app = FastAPI(
    title="Captioner",
    version=__version__,
    description="Photos in, captions out, and every word shows where the network looked.",
    docs_url=None,  # its page would load scripts from another host
    redoc_url=None,
    responses=REFUSALS,
)
app.add_middleware(BodyLimits, most=MOST)
PHOTO_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Width = Annotated[int, Query(ge=1, le=20, description="Hypotheses kept open.")]
Masks = Annotated[bool, Query(description="Whether words have their masks.")]
More = Annotated[str, Query(description="Further options of decoding, a JSON object.", max_length=2000)]


@app.exception_handler(Refused)
async def _refused(_: Request, refused: Refused) -> JSONResponse:
    headers = {"retry-after": str(RETRY_SECONDS)} if refused.status == 503 else None
    return JSONResponse({"detail": refused.text}, refused.status, headers)


@app.exception_handler(RequestValidationError)
async def _nonsense(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    return JSONResponse({"detail": one_line(f"{first['loc'][-1]}: {first['msg']}")}, 422)


# What the class below needs stands above it: Serve takes a copy of the routes when it is defined.


def _checked(photo: bytes) -> bytes:
    if not photo:
        raise Refused(422, "there is no photo; send the file as the body, or files as the form's field photos")
    if len(photo) > MAX_PHOTO:
        raise too_long(MAX_PHOTO)
    return photo


def _options(beam_width: int, more: str) -> str:
    """Options of decoding, as `Ask` has them."""
    try:
        given = json.loads(more)
        if not isinstance(given, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise Refused(
            422, f'options is a JSON object, such as {{"max_words": 8}}. Received: {one_line(more[:100])}'
        ) from None
    options = {**({} if given.get("strategy") in ("greedy", "sample") else {"beam_width": beam_width}), **given}
    try:
        if DecodingOptions.parse(options).count > 1:
            raise Refused(422, "count is a parameter of its own")
    except ConfigError as error:
        raise Refused(422, str(error)) from None
    return json.dumps(options, sort_keys=True)


@serve.deployment(num_replicas=1, max_ongoing_requests=2 * MOST, ray_actor_options={"num_cpus": 0})
@serve.ingress(app)
class Front:
    """Answers HTTP.

    Args:
        replicas: where questions go.
    """

    def __init__(self, replicas: DeploymentHandle):
        self._replicas, self._registry = replicas, prometheus.CollectorRegistry()
        measured = {"namespace": "captioner", "registry": self._registry}
        self._requests = prometheus.Counter("requests", "Requests.", ["route", "status"], **measured)
        self._seconds = prometheus.Histogram("request_seconds", "Seconds of a request.", ["route"], **measured)
        self._photos = prometheus.Counter("photos", "Photos captioned, or not readable.", ["result"], **measured)
        self._batches = prometheus.Histogram(
            "batch_photos", "Photos that went through the network together.", buckets=(1, 2, 4, 8, 16, 32), **measured
        )
        self._waiting = prometheus.Gauge("waiting_photos", "Photos that wait for their captions.", **measured)
        self._again = prometheus.Counter("asked_again", "Questions whose replica died while it answered.", **measured)

    @app.post("/v1/caption", response_model=CaptionAnswer | list[CaptionAnswer], openapi_extra=PHOTO_BODY)
    async def caption(
        self,
        request: Request,
        beam_width: Width = 5,
        count: Annotated[int | None, Query(ge=1, le=20, description="Give a list of so many at most.")] = None,
        masks: Masks = True,
        options: More = "{}",
    ) -> Any:
        """The caption of the photo that is the body."""
        async with self._measured("caption"):
            chosen = _options(beam_width, options)
            answer = await self._ask(Ask(_checked(await request.body()), chosen, count=count, masks=masks))
            if answer.error:
                raise Refused(422, answer.error)
            return JSONResponse(answer.captions[0] if count is None else answer.captions)

    @app.post("/v1/captions", response_model=list[CaptionAnswer | Unread])
    async def captions(
        self,
        photos: Annotated[list[UploadFile], File(description="Photos, as a form.", max_length=MAX_PHOTOS)],
        beam_width: Width = 5,
        masks: Masks = True,
        options: More = "{}",
    ) -> Any:
        """The captions of several photos, in their order; one that cannot be read has an error in its place."""
        async with self._measured("captions"):
            chosen = _options(beam_width, options)
            asks = [Ask(_checked(await photo.read()), chosen, masks=masks) for photo in photos]
            answers = await asyncio.gather(*(self._ask(ask) for ask in asks), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
            return JSONResponse([{"error": each.error} if each.error else each.captions[0] for each in answers])

    @app.post("/v1/score", response_model=CaptionAnswer, openapi_extra=PHOTO_BODY)
    async def score(self, request: Request, text: Annotated[str, Query(max_length=2000)], masks: Masks = True) -> Any:
        """The probabilities and masks of given words for the photo that is the body."""
        async with self._measured("score"):
            answer = await self._ask(Ask(_checked(await request.body()), text=text, masks=masks))
            if answer.error:
                raise Refused(422, answer.error)
            return JSONResponse(answer.captions[0])

    @app.get("/v1/model", response_model=ModelAnswer)
    async def model(self) -> Any:
        """The model that answers."""
        async with self._measured("model"):
            return JSONResponse(await self._patiently(self._replicas.describe.remote))

    @app.get("/health/live")
    async def live(self) -> dict[str, str]:
        """Whether the service is up."""
        return {"status": "live"}

    @app.get("/health/ready", responses={503: {"model": Refusal}})
    async def ready(self) -> dict[str, str]:
        """Whether a replica answers; one that has its hands full does."""
        try:
            await asyncio.wait_for(self._replicas.describe.remote(), READY_SECONDS)
        except (BackPressureError, TimeoutError):
            return {"status": "busy"}
        except (RayActorError, RayServeException):
            raise Refused(503, "no replica answers") from None
        return {"status": "ready"}

    @app.get("/metrics")
    async def metrics(self) -> Response:
        """Counts and times for Prometheus."""
        return Response(prometheus.generate_latest(self._registry), media_type=prometheus.CONTENT_TYPE_LATEST)

    @contextlib.asynccontextmanager
    async def _measured(self, route: str) -> AsyncIterator[None]:
        began, status = time.monotonic(), 500
        try:
            yield
            status = 200
        except Refused as refused:
            status = refused.status
            raise
        finally:
            self._requests.labels(route, status).inc()
            self._seconds.labels(route).observe(time.monotonic() - began)

    async def _ask(self, ask: Ask) -> Answer:
        """The answer of a replica.

        Raises:
            Refused: too many questions wait.
        """
        with self._waiting.track_inprogress():
            answer = await self._patiently(self._replicas.answer.remote, ask)
        self._photos.labels("unreadable" if answer.error else "captioned").inc()
        self._batches.observe(answer.batch)
        return answer

    async def _patiently(self, ask, *values: Any) -> Any:
        """What a replica answers; where it dies, another is asked, since the question was accepted."""
        pause, accepted = PAUSE, False
        for left in reversed(range(TRIES)):
            try:
                return await ask(*values)
            except RequestCancelledError:
                raise
            except BackPressureError:
                if not accepted or not left:
                    raise busy() from None
            except (RayActorError, RayServeException):
                self._again.inc()
                accepted = True
                if not left:
                    raise Refused(503, "no replica answers; ask again in a minute") from None
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("a try was made")
