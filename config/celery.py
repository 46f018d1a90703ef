"""The Celery application. A task carries the id of the request that sent it."""

import os
from typing import Any

import structlog
from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("bellwether")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="tasks")


@signals.setup_logging.connect
def keep_our_logs(**_kwargs: Any) -> None:
    """Do nothing: a receiver keeps Celery from installing log handlers."""


@signals.before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_kwargs: Any) -> None:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    headers.setdefault("bellwether_request_id", request_id)


@signals.task_prerun.connect
def bind_request_id(task: Any, task_id: str, **_kwargs: Any) -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        task=task.name,
        task_id=task_id,
        request_id=getattr(task.request, "bellwether_request_id", None) or "",
    )


@signals.task_postrun.connect
def unbind_request_id(**_kwargs: Any) -> None:
    structlog.contextvars.clear_contextvars()
