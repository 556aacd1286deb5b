"""Where operators read what an alarm means: each has a heading of its name in docs/operations.md, a place in the repository."""

_PAGE = "docs/operations.md"


def described(name: str, said: str) -> str:
    """The description of an alarm. It ends with a path, as a deployment does not know at which address its repository is read."""
    return f"{said} {_PAGE}#{name.lower()}"
