"""The backend that `settings.DATABASES` names: Django's, which looks at a pooled connection before it is used."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """After a restart of PostgreSQL the pool is full of connections that are gone, and nobody has noticed."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        while self.pool is not None and _is_gone(connection):
            connection.close()
            self.pool.putconn(connection)  # which replaces it
            connection = super().get_new_connection(conn_params)
        return connection


def _is_gone(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the server has closed an idle connection. It has nothing else to say there; asking costs no round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
