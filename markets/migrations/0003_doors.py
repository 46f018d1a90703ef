"""Permissions by name and the groups that have them; where a market's public log begins; each event's transaction."""

from django.conf import settings
from django.db import migrations, models

import markets.models.fields

ON_MARKETS = {
    "operate_market": "Can schedule, open, pause and close markets",
    "resolve_market": "Can resolve, unresolve and cancel markets",
    "import_markets": "Can import markets",
    "export_data": "Can build and download reports",
}
ON_ACCOUNTS = {"grant_credits": "Can grant credits and take them"}
ON_KEYS = {"manage_keys": "Can revoke other people's keys"}

VIEWS = ["category", "tag", "market", "outcome", "event", "resolution"]
GROUPS = {
    "Market editors": [
        *(f"{verb}_{model}" for verb in ("add", "change") for model in ("category", "tag", "market", "outcome")),
        "delete_category", "delete_tag", "delete_outcome", "operate_market", "import_markets",
        *(f"view_{model}" for model in VIEWS),
    ],
    "Resolvers": ["resolve_market", "view_trade", "view_position", *(f"view_{model}" for model in VIEWS)],
    "Treasurers": [
        "grant_credits",
        *(f"view_{model}" for model in ("account", "journalentry", "posting", "trade", "position", "auditrun")),
    ],
    "Auditors": [
        "export_data",
        *(f"view_{model}" for model in (
            *VIEWS, "account", "journalentry", "posting", "trade", "position", "auditrun", "report", "notification",
            "categoryfollow", "apikey",
        )),
    ],
}


def make_groups(apps, _schema_editor):
    """Django makes the permissions only after all migrations, so those that the groups have are made here."""
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for name, codenames in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        for codename in codenames:
            verb, _, model = codename.partition("_")
            model = "market" if codename in ON_MARKETS else "account" if codename in ON_ACCOUNTS else model
            label = {**ON_MARKETS, **ON_ACCOUNTS}.get(codename, f"Can {verb} {model}")
            kind, _ = ContentType.objects.get_or_create(app_label="markets", model=model)
            permission, _ = Permission.objects.get_or_create(
                codename=codename, content_type=kind, defaults={"name": label}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ("markets", "0002_words"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="market",
            options={"ordering": ["-id"], "permissions": list(ON_MARKETS.items())},
        ),
        migrations.AlterModelOptions(
            name="account", options={"permissions": list(ON_ACCOUNTS.items())}
        ),
        migrations.AlterModelOptions(
            name="apikey",
            options={"ordering": ["-id"], "permissions": list(ON_KEYS.items())},
        ),
        migrations.AddField(
            model_name="market",
            name="public_from",
            field=models.BigIntegerField(
                blank=True, null=True, help_text="The `seq` at which its public log begins."
            ),
        ),
        migrations.RunSQL(
            """
            UPDATE markets_market AS market SET public_from = coalesce((
                SELECT min(seq) FROM markets_event WHERE market_id = market.id AND (
                    type = 'market.created' AND payload->>'status' <> 'draft' OR payload->>'from' = 'draft'
                )), 1)
            WHERE public
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="market",
            constraint=models.CheckConstraint(
                condition=models.Q(public=True, public_from__isnull=False)
                | models.Q(public=False, public_from=None),
                name="market_public_log_begins",
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="transaction",
            field=markets.models.fields.TransactionIdField(
                db_default=markets.models.fields.CurrentTransaction(),
                help_text="Of what wrote it or its predecessor: with the id, the order to read in.",
            ),
        ),
        migrations.RemoveIndex(model_name="event", name="event_at"),
        migrations.AddIndex(
            model_name="event", index=models.Index(fields=["transaction", "id"], name="event_feed")
        ),
        migrations.AddField(
            model_name="journalentry",
            name="request_key",
            field=models.CharField(
                blank=True, max_length=80, null=True, help_text="Of the form that asked for it: it acts once."
            ),
        ),
        migrations.AddConstraint(
            model_name="journalentry",
            constraint=models.UniqueConstraint(
                fields=["request_key"], condition=models.Q(request_key__isnull=False), name="entry_once"
            ),
        ),
        migrations.CreateModel(
            name="FeedCursor",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("transaction", markets.models.fields.TransactionIdField(default=0)),
                ("event", models.BigIntegerField(default=0, help_text="The event's id.")),
            ],
        ),
        migrations.RunSQL(
            "INSERT INTO markets_feedcursor (name, transaction, event) VALUES ('trades', pg_current_xact_id(), 0)",
            migrations.RunSQL.noop,
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
