"""Django's PostgreSQL backend, which checks each pooled connection before its use."""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that the server has not closed, as it does when it restarts.

        An idle connection receives nothing but its end: a poll needs no round trip.
        """
        while True:
            connection = super().get_new_connection(conn_params)
            poll = select.poll()
            poll.register(connection.fileno(), select.POLLIN)
            if self.pool is None or not poll.poll(0):
                return connection
            connection.close()
            self.pool.putconn(connection)  # the pool replaces it
