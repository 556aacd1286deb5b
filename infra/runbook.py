"""Where operators read what an alarm means: each has a heading of its name in docs/operations.md."""

_PAGE = "docs/operations.md"


def described(name: str, said: str) -> str:
    """The description of an alarm."""
    return f"{said} {_PAGE}#{name.lower()}"
