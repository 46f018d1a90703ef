from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from markets.models.fields import USER, check
from markets.models.market import Market


class Report(models.Model):
    """A file that a worker builds. `file` is empty until the report is done."""

    class Kind(models.TextChoices):
        MARKET_HISTORY = "market_history"
        CALIBRATION = "calibration"
        LEDGER_AUDIT = "ledger_audit"
        TRADES_EXPORT = "trades_export"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    market = models.ForeignKey(
        Market, models.CASCADE, null=True, blank=True, related_name="reports"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    progress = models.SmallIntegerField(
        default=0, validators=[MaxValueValidator(100)], help_text="0 to 100."
    )
    file = models.FileField(upload_to="reports/", blank=True)
    error = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(USER, models.CASCADE, related_name="reports")
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField(
        help_text="When its worker was last seen; beat queues a silent one again."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [check("report_progress_percent", Q(progress__gte=0, progress__lte=100))]
        indexes = [
            models.Index(
                fields=["touched_at"],
                condition=Q(state__in=["queued", "running"]),
                name="report_open",
            ),
            models.Index(fields=["-touched_at"], condition=Q(state="failed"), name="report_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk} ({self.state})"
