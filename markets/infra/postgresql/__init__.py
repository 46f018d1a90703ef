"""Django's PostgreSQL backend, for a database that may go away, be busy, or fall silent."""
