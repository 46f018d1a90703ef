import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Word',
            fields=[
                ('text', models.TextField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='market',
            name='market_name_similar',
        ),
        migrations.AddIndex(
            model_name='word',
            index=django.contrib.postgres.indexes.GinIndex(fields=['text'], name='word_similar', opclasses=['gin_trgm_ops']),
        ),
        migrations.RunSQL(
            """
            INSERT INTO markets_word (text)
            SELECT DISTINCT lexeme FROM markets_market AS market, unnest(market.search_vector)
            WHERE weights && '{A,B}' AND lexeme ~ '^[[:alpha:]]{3,40}$'
            """,
            migrations.RunSQL.noop,
        ),
    ]
