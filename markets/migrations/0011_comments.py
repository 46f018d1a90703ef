"""Add comments; editors moderate them, auditors see them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


MODERATE = ("moderate_comment", "Can hide, show and pin comments")
SEE = [("view_comment", "Can view comment"), ("view_commentreport", "Can view comment report"), ("view_commentversion", "Can view earlier text")]
GROUPS = {"Market editors": [MODERATE, *SEE], "Auditors": SEE}


def let_groups_moderate(apps, _schema_editor):
    """Django makes the permissions only after all migrations."""
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for name, permissions in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        for codename, label in permissions:
            kind, _ = ContentType.objects.get_or_create(
                app_label="markets", model=codename.partition("_")[2]
            )
            permission, _ = Permission.objects.get_or_create(
                codename=codename, content_type=kind, defaults={"name": label}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0010_job_skips'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(help_text='Markdown.')),
                ('created_at', models.DateTimeField()),
                ('edited_at', models.DateTimeField(blank=True, null=True)),
                ('pinned_at', models.DateTimeField(blank=True, null=True)),
                ('hidden_at', models.DateTimeField(blank=True, null=True)),
                ('author', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='comments', to=settings.AUTH_USER_MODEL)),
                ('hidden_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('market', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='markets.market')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='replies', to='markets.comment')),
            ],
            options={
                'ordering': ['id'],
                'permissions': [('moderate_comment', 'Can hide, show and pin comments')],
            },
        ),
        migrations.CreateModel(
            name='CommentReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=300)),
                ('at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('comment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reports', to='markets.comment')),
                ('reporter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='CommentVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('written_at', models.DateTimeField()),
                ('replaced_at', models.DateTimeField()),
                ('comment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='markets.comment')),
            ],
            options={
                'verbose_name': 'earlier text',
                'ordering': ['-id'],
            },
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['market', 'id'], name='comment_of_market'),
        ),
        migrations.AddIndex(
            model_name='comment',
            index=models.Index(fields=['author', '-created_at'], name='comment_newest_of_author'),
        ),
        migrations.AddIndex(
            model_name='commentreport',
            index=models.Index(condition=models.Q(('decided_at', None)), fields=['id'], name='comment_report_open'),
        ),
        migrations.AddConstraint(
            model_name='commentreport',
            constraint=models.UniqueConstraint(condition=models.Q(('decided_at', None)), fields=('comment', 'reporter'), name='comment_reported_once'),
        ),
        migrations.RunPython(let_groups_moderate, migrations.RunPython.noop),
    ]
