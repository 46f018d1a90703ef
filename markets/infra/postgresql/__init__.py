"""The backend that `settings.DATABASES` names."""
