"""A request's body as JSON, read strictly: what would break later, in a store or on a provider's wire, is refused here."""

from typing import Any, Final

from llm_gateway.domain.strict_json import Bounds, InvalidJson, parse
from llm_gateway.errors import MalformedRequest

# Far more than any request needs; without them 4 MiB of zeros become gigabytes of values and of complaints about them.
# A number that no double holds is left to the schemas, which name its field; past 4,300 digits Python itself reads none.
BODY_BOUNDS: Final = Bounds(digits=4_300, members_of_one_object=10_000, values=400_000)


def parsed_json(body: bytes) -> Any:
    """The value of `body`. Raises `MalformedRequest` where it is not JSON, or holds what no other JSON reader would take."""
    try:
        # JSON readers differ in which of two members of one name they take. A proxy may have checked the other one.
        return parse(body, bounds=BODY_BOUNDS, unique_names=True)
    except InvalidJson as fault:
        raise MalformedRequest(f"The body {fault}.") from None
