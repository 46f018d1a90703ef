"""Every change of the database: a verb, one transaction, one event.

A service locks, checks, changes and records; the caller passes the time as `now`.
"""

from django.contrib.auth.base_user import AbstractBaseUser

Actor = AbstractBaseUser | None  # who asked for the change; None is the clock
