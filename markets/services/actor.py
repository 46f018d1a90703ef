"""The user who asked for a change."""

from django.contrib.auth.base_user import AbstractBaseUser

Actor = AbstractBaseUser | None  # None is the clock
