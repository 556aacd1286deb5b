"""What builds the site of docs/, in an environment of its own: its packages are nobody else's."""

from workshop import environment
from workshop.places import SITE_LOCK, SITE_VENV
from workshop.steps import Steps


def prepare(steps: Steps) -> None:
    """Make `.cache/docs` hold what `docs.lock` says."""
    environment.prepare_apart(steps, "Site generator", venv=SITE_VENV, lock=SITE_LOCK)
