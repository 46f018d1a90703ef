"""Bellwether's one Django app. A row imports only rows below it (import-linter checks):

apps · urls · routing
api │ views │ consumers │ admin │ jobs │ management      doors: parse, call, return
hot                                                      public answers in memory, in front of Django
services                                                 every write, one transaction each
events                                                   record(): the only way a change becomes known
tasks                                                    reactions to events, in a worker
cache │ live │ search │ notifications │ reports │ ratelimit   what follows from an event
selectors                                                every read that is not one row by its id
models │ threads                                         nouns and constraints │ database work off the event loop
pricing │ amounts │ errors │ event_types                 pure Python
"""
