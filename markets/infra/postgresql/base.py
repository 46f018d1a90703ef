"""Django's PostgreSQL backend, with a check of each pooled connection before its use."""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """After a restart of PostgreSQL the pool is full of connections that the server has closed."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that the server has not closed.

        An idle connection receives nothing but its end, so a poll finds out without a round trip.
        """
        while True:
            connection = super().get_new_connection(conn_params)
            poll = select.poll()
            poll.register(connection.fileno(), select.POLLIN)
            if self.pool is None or not poll.poll(0):
                return connection
            connection.close()
            self.pool.putconn(connection)  # the pool replaces it
