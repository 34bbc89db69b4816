"""A web service that reads handwritten digits: a picture comes in, its digit or its numbers go out as JSON.

    pip install fastapi uvicorn edgedigits
    uvicorn service:app --port 8000
    curl --data-binary @photo.jpg http://127.0.0.1:8000/predict
    curl --data-binary @amount.png "http://127.0.0.1:8000/read?pattern=d.ddd,dd"

The body of a request is the picture file as it is. http://127.0.0.1:8000/docs shows all routes and tries them.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import BaseModel

from edgedigits import (
    ArgumentError,
    Box,
    DigitPredictor,
    EdgeDigitsError,
    ImageError,
    Prediction,
    Reading,
    __version__,
)

MOST_BYTES = int(os.environ.get("MOST_BYTES", "10_000_000"))
"""Of a picture: enough for a phone's photo. How many pixels are decoded is limited by edgedigits itself."""

THREADS = int(os.environ.get("THREADS", os.cpu_count() or 1))
"""Pictures that are read at once. A container that may use fewer cores than the machine has does not see that."""

predictor = DigitPredictor()  # one for all threads; a model file that is missing or damaged ends the start


class Digit(BaseModel):
    """What ``/predict`` answers."""

    digit: int
    confidence: float
    margin: float
    sure: bool
    """Whether the answer can be taken as it is; if not, ask for another picture."""
    probabilities: tuple[float, ...]

    @classmethod
    def of(cls, found: Prediction) -> "Digit":
        """Build it from what the library returns."""
        return cls(
            digit=found.digit,
            confidence=found.confidence,
            margin=found.margin,
            sure=found.sure,
            probabilities=found.probabilities,
        )


class Number(BaseModel):
    """A line of digits."""

    text: str
    confidence: float
    sure: bool
    box: Box
    """Left, top, right and bottom, in pixels of the picture."""


class Numbers(BaseModel):
    """What ``/read`` answers: no line where there is no digit."""

    text: str
    sure: bool
    lines: list[Number]

    @classmethod
    def of(cls, found: Reading) -> "Numbers":
        """Build it from what the library returns."""
        lines = [
            Number(text=line.text, confidence=line.confidence, sure=line.sure, box=line.box)
            for line in found.lines
        ]
        return cls(text=found.text, sure=found.sure, lines=lines)


@asynccontextmanager
async def ready(_: FastAPI) -> AsyncIterator[None]:
    """Prepare for requests: open the network that reads numbers, and take so many pictures at once.

    Routes that are no coroutines run in a pool of 40 threads by default. Here a thread computes all the time, and holds
    the decoded picture: more of them than cores answer no sooner, and would hold forty large pictures at once.
    """
    predictor.read(Image.new("L", (28, 28)))
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


async def picture_of(request: Request) -> bytes:
    """Return the body of a request, a picture file.

    Raises:
        HTTPException: 413, it is too large; 415, it is a form.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(
            415, "expected a picture as the body, found a form: curl --data-binary @photo.jpg"
        )
    picture = bytearray()
    async for part in request.stream():
        picture += part
        if len(picture) > MOST_BYTES:
            raise HTTPException(413, f"expected a picture of at most {MOST_BYTES:,} bytes; save it smaller")
    return bytes(picture)


UploadedPicture = Annotated[bytes, Depends(picture_of)]
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""For the page of routes, which cannot know it of a body that is read as it comes."""

app = FastAPI(title="edgedigits", version=__version__, lifespan=ready)


@app.exception_handler(ImageError)
@app.exception_handler(ArgumentError)
def refuse(_: Request, error: EdgeDigitsError) -> JSONResponse:
    """Answer what cannot be read, or is asked for wrongly, with the library's own words."""
    return JSONResponse({"detail": str(error)}, 422)


@app.post("/predict", openapi_extra=PICTURE_BODY)
def predict(picture: UploadedPicture) -> Digit:
    """Read the digit in a picture."""
    return Digit.of(predictor.predict(picture))


@app.post("/read", openapi_extra=PICTURE_BODY)
def read(
    picture: UploadedPicture,
    *,
    separators: bool = True,
    digits: int | None = None,
    pattern: str | None = None,
) -> Numbers:
    """Read the numbers in a picture: any number of digits, in any number of lines."""
    return Numbers.of(predictor.read(picture, separators=separators, digits=digits, pattern=pattern))


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the service answers, and with which network; a coroutine, so that it waits behind no picture."""
    return {
        "status": "ok",
        "edgedigits": __version__,
        "network": predictor.metadata.weights_sha256,
    }
