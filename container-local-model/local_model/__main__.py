"""`python -m local_model`: find the model, load it, serve it."""

import logging
import os
import sys

from local_model.app import create_app
from local_model.download import ModelFileError
from local_model.llama import LlamaCppModel
from local_model.model_file import find_model
from local_model.server import DrainingServer
from local_model.settings import SettingsError, read_settings
from local_model.worker import Worker


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = read_settings(os.environ)
        path, name = find_model(settings)
        model = LlamaCppModel(
            path,
            name=name,
            context_tokens=settings.context_tokens,
            threads=settings.threads,
            embeddings=settings.embeddings,
        )
    except (SettingsError, ModelFileError) as error:
        sys.exit(f"local-model: {error}")
    except ValueError as error:
        sys.exit(f"local-model: llama.cpp cannot load the model: {error}")
    worker = Worker(model, max_queue=settings.max_queue)
    DrainingServer(create_app(model, worker, usual_tokens=settings.usual_tokens), worker, settings).run()
    worker.close()


if __name__ == "__main__":
    main()
