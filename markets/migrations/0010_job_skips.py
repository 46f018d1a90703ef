from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("markets", "0009_invitations")]

    operations = [
        migrations.AddField(
            "job",
            "skips",
            models.JSONField(default=list, help_text="The first of the skipped, as `failures`."),
        ),
        migrations.AlterField(
            "job",
            "skipped",
            models.IntegerField(default=0, help_text="Their state did not allow it."),
        ),
    ]
