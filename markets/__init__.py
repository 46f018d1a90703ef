"""Bellwether's one Django app. A row imports only rows below it, siblings nothing of each other:

apps | urls
web | admin | management | tasks | templatetags    doors: parse, ask for permission, call, answer
services                                           every write, one transaction each
events                                             how a change becomes known
caching | live                                     what follows from an event
presenters                                         a row as the public sees it
selectors                                          every read
models                                             nouns and constraints
infra                                              Redis, threads, the broker, the request
domain                                             amounts, pricing, orders, errors, permissions

`pyproject.toml` says the same to import-linter, and a test compares the two.
"""
