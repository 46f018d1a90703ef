"""Clients of the API, which know nothing else of Bellwether: simulated traders, a live board."""
