"""What services and selectors stand on: database, Redis, broker, threads, request id."""
