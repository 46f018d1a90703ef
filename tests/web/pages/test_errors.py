"""The pages for what went wrong cost no more than other pages."""

import asyncio

from django.db import connections

from markets.infra.threads import in_thread
from tests.support.people import person, sign_in


def used() -> int:
    """The connections of this process's pool that somebody holds."""
    found = connections["default"].pool.get_stats()
    return found["pool_size"] - found["pool_available"]


async def test_an_address_that_makes_no_sense_gets_a_page_with_a_way_out(client, world):
    for path in ("/?q=%00", "/markets/%00?q=%00"):
        answer = await client.get(path)
        assert answer.status_code == 400
        assert "makes no sense" in answer.text
        assert 'href="/"' in answer.text


async def test_a_page_that_is_not_there_or_not_allowed_keeps_no_connection(client, bob):
    await in_thread(person, "sam", is_staff=True)
    await sign_in(client, "sam")
    before = used()
    for path, status in (("/markets/nowhere", 404), ("/admin/auth/user/1/grant/", 403)):
        answers = await asyncio.gather(*(client.get(path) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {status}
    assert used() == before
