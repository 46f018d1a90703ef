"""The web server with seconds where it has minutes, for tests of what happens when they are over."""

import os

import config.asgi  # noqa: F401  (loads the models)
from config import daphne
from markets.infra import threads
from markets.live import relay, viewer

daphne.MAX_REQUEST_SECONDS = 2
threads.HOP_SECONDS = 3
viewer.MOST_WRITE_SECONDS = 3
viewer.MOST_STREAM_SECONDS = float(os.environ["LONGEST_STREAM"])
relay.RECHECK_SECONDS = 1

if __name__ == "__main__":
    daphne.Command.entrypoint()
