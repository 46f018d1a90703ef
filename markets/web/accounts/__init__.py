"""What of django-allauth's accounts is ours: its adapters, two forms, and the sign-up view."""
