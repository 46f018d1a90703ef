"""Simulated traders, which use only the HTTP API of Bellwether, as any bot does."""
