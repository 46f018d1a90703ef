"""Who does it."""

from django.contrib.auth.base_user import AbstractBaseUser

Actor = AbstractBaseUser | None  # None is the clock
