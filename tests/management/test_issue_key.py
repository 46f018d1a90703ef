"""`manage.py issue_key`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from markets.models import ApiKey


def issue(*arguments):
    output = StringIO()
    call_command("issue_key", *arguments, stdout=output)
    return output.getvalue().strip()


def test_anybody_gets_a_key_and_sees_it_once(bob):
    secret = issue("bob", "--scope", "read", "--scope", "trade", "--name", "my bot")
    key = ApiKey.objects.get()
    assert (key.user, key.name, key.scopes) == (bob, "my bot", ["read", "trade"])
    assert secret.startswith(f"bw_{key.prefix}_")


def test_without_a_scope_it_reads(bob):
    issue("bob")
    assert ApiKey.objects.get().scopes == ["read"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nobody"], "There is no user 'nobody'"),
        (["bob", "--scope", "staff"], "Only staff"),
        (["bob", "--scope", "all"], "invalid choice"),
    ],
)
def test_what_cannot_be_is_a_sentence(bob, arguments, why):
    with pytest.raises(CommandError, match=why):
        issue(*arguments)
    assert not ApiKey.objects.exists()
