from django.db import models

from markets.models.fields import USER


class Job(models.Model):
    """One operation on many markets: proposed, looked at, confirmed, and run market by market."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    operation = models.CharField(max_length=20)
    market_ids = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PROPOSED)
    position = models.IntegerField(default=0, help_text="How many markets it has looked at.")
    done = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0, help_text="Their state did not allow it.")
    skips = models.JSONField(default=list, help_text="The first of the skipped, as `failures`.")
    failures = models.JSONField(default=list, help_text="[{market, name, why}]")
    error = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField(
        help_text="When its worker was last seen; beat queues a silent one again."
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["touched_at"],
                condition=models.Q(state__in=["queued", "running", "failed"]),
                name="job_open",
            )
        ]

    def __str__(self) -> str:
        done = self.operation.replace("_", " ").capitalize()
        return f"{done}: {len(self.market_ids)} markets ({self.state})"

    @property
    def percent(self) -> int:
        return self.position * 100 // max(len(self.market_ids), 1)
