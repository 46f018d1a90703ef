from django.contrib.postgres.fields import ArrayField
from django.db import models

from markets.models.fields import USER


class Scope(models.TextChoices):
    READ = "read"
    TRADE = "trade"
    STAFF = "staff"


class ApiKey(models.Model):
    """`bw_<prefix>_<secret>`; `digest` is the SHA-256 of that. The secret has 256 random bits."""

    user = models.ForeignKey(USER, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=8, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices))
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        permissions = [("manage_keys", "Can revoke other people's keys")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"bw_{self.prefix}_… {self.name}"
