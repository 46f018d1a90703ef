"""Treasurers and auditors may see people; keys are issued for others; indexes of a person's news and history."""

from django.conf import settings
from django.db import migrations, models

ON_KEYS = {"manage_keys": "Can issue and revoke other people's keys"}
SEE_PEOPLE = ("Treasurers", "Auditors")


def let_them_see_people(apps, _schema_editor):
    """Django makes the permissions only after all migrations, so the one that is given is made here."""
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    app_label, model = settings.AUTH_USER_MODEL.lower().split(".")
    kind, _ = ContentType.objects.get_or_create(app_label=app_label, model=model)
    permission, _ = Permission.objects.get_or_create(
        codename=f"view_{model}", content_type=kind, defaults={"name": f"Can view {model}"}
    )
    for group in Group.objects.filter(name__in=SEE_PEOPLE):
        group.permissions.add(permission)
    for codename, name in ON_KEYS.items():
        Permission.objects.filter(codename=codename, content_type__app_label="markets").update(name=name)


class Migration(migrations.Migration):

    dependencies = [
        ("markets", "0006_proposals"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="apikey",
            options={"ordering": ["-id"], "verbose_name": "API key", "permissions": list(ON_KEYS.items())},
        ),
        migrations.AlterField(
            model_name="notification",
            name="user",
            field=models.ForeignKey(
                settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications", db_index=False
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["user", "-id"], name="notification_newest"),
        ),
        migrations.RunSQL(  # the history of one row does not read that of its whole model
            "CREATE INDEX admin_log_of_row ON django_admin_log (content_type_id, object_id)",
            "DROP INDEX admin_log_of_row",
        ),
        migrations.RunPython(let_them_see_people, migrations.RunPython.noop),
    ]
