"""The totals of each day, so far as trades were read from the feed; what the home of the admin looks up."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

BACKFILL = """
WITH told AS (
    SELECT (trade.at AT TIME ZONE 'UTC')::date AS day, trader_id, cost FROM markets_trade AS trade
    JOIN markets_event AS event ON event.market_id = trade.market_id AND event.seq = trade.seq
    JOIN markets_feedcursor AS reached ON reached.name = 'trades'
        AND (event.transaction, event.id) <= (reached.transaction, reached.event)
    WHERE trade.at > now() - interval '60 days'
), totals AS (
    INSERT INTO markets_daytotal (day, trades, volume, traders)
    SELECT day, count(*), sum(cost), count(DISTINCT trader_id) FROM told GROUP BY day
)
INSERT INTO markets_daytrader (day, trader_id)
SELECT DISTINCT day, trader_id FROM told WHERE day > now() - interval '8 days'
"""


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0003_doors'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DayTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True)),
                ('trades', models.BigIntegerField()),
                ('volume', models.BigIntegerField()),
                ('traders', models.BigIntegerField()),
            ],
            options={
                'ordering': ['-day'],
            },
        ),
        migrations.CreateModel(
            name='DayTrader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
            ],
        ),
        migrations.AlterModelOptions(
            name='apikey',
            options={'ordering': ['-id'], 'permissions': [('manage_keys', "Can revoke other people's keys")], 'verbose_name': 'API key'},
        ),
        migrations.AlterModelOptions(
            name='auditrun',
            options={'ordering': ['-id'], 'verbose_name': 'audit'},
        ),
        migrations.AddField(
            model_name='auditrun',
            name='in_markets',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='auditrun',
            name='issuance',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='auditrun',
            name='with_traders',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='market',
            index=models.Index(condition=models.Q(('status', 'closed')), fields=['close_at', 'id'], name='market_awaiting'),
        ),
        migrations.AddIndex(
            model_name='report',
            index=models.Index(condition=models.Q(('state', 'failed')), fields=['-touched_at'], name='report_failed'),
        ),
        migrations.AddField(
            model_name='daytrader',
            name='trader',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='daytrader',
            constraint=models.UniqueConstraint(fields=('day', 'trader'), name='day_trader_once'),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
    ]
