"""The errors a client can meet, in the format of OpenAI's API.

ApiError
├── InvalidRequest          400  the request says something that cannot be done; `param` names the field
│   ├── UnsupportedParameter     a field of OpenAI's API that this server does not have
│   └── ContextOverflow          the prompt leaves no room for an answer
├── Forbidden               403  a page of a browser asked, or a name that is none of this machine's
├── ModelNotFound           404
├── BodyTooLarge            413
├── NotJson                 415
├── QueueFull               429  with Retry-After
├── GenerationFailed        500
└── ShuttingDown            503  with Retry-After
"""

from typing import Any, ClassVar


class ApiError(Exception):
    """Rendered by the HTTP edge as `{"error": {"message", "type", "param", "code"}}`."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        return error_body(message=str(self), kind=self.type, param=self.param, code=self.code)

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}


class InvalidRequest(ApiError):
    status = 400
    type = "invalid_request_error"


class UnsupportedParameter(InvalidRequest):
    code = "unsupported_parameter"


class ContextOverflow(InvalidRequest):
    code = "context_length_exceeded"


class Forbidden(ApiError):
    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class ModelNotFound(ApiError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class BodyTooLarge(ApiError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class NotJson(ApiError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class QueueFull(ApiError):
    status = 429
    type = "rate_limit_error"
    code = "queue_full"


class GenerationFailed(ApiError):
    code = "generation_failed"


class ShuttingDown(ApiError):
    status = 503
    code = "shutting_down"


def error_body(*, message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
