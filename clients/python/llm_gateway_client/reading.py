"""What all answers have in common: how they are read."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What a gateway answered. Members that a newer gateway adds are kept, and can be read by their names.

    Where a member's name is a word of Python's or of pydantic's, an underscore follows it: `output.json_`, `change.from_`.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        defer_build=True,
        populate_by_name=True,
        protected_namespaces=(),
        serialize_by_alias=True,
    )
