"""The measure of a cold start: FastAPI behind Mangum, and one route that answers as `get_health` does."""

from typing import Literal

from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


class Alive(BaseModel):
    """It answers."""

    status: Literal["ok"]


@app.get("/health")
def get_health() -> Alive:
    """It is up."""
    return Alive(status="ok")


handler = Mangum(app, lifespan="off")
