"""Simulated traders that know Bellwether only through its HTTP API, like anybody's bot."""
