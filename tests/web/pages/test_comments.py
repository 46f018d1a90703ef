"""Comments on a market's page, without JavaScript."""

import html
import re

import pytest
from django.contrib.sessions.models import Session

from markets.domain.amounts import MICRO
from markets.infra.threads import in_thread
from markets.models import Comment
from markets.services import comments
from tests.support.clock import NOW
from tests.support.factory import order, trade, yes_no
from tests.support.people import person, sign_in

PAGE = "/markets/will-it-rain"


@pytest.fixture
async def bobs(client, bob, market):
    await sign_in(client, "bob")
    return client


def talk(answer):
    return re.search(r'<section class="talk".*?</section>', answer.text, re.DOTALL)[0]


def words(text):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


async def token(client):
    return re.search(r'csrfmiddlewaretoken" value="(\w+)"', talk(await client.get(PAGE)))[1]


async def send(client, path=f"{PAGE}/comment", **fields):
    fields["csrfmiddlewaretoken"] = await token(client)
    return await client.post(path, data=fields)


async def test_a_comment_stands_on_the_page_with_what_its_writer_holds(bobs, bob, market, settings):
    yes, _no = await in_thread(yes_no, market)
    await in_thread(trade, bob, market, order(yes, shares=12 * MICRO))
    answer = await send(bobs, text="The *glass* falls.<script>alert(1)</script>")
    comment = await in_thread(Comment.objects.get)
    assert answer.headers["Location"] == f"{PAGE}#comment-{comment.pk}"
    shown = talk(await bobs.get(PAGE))
    assert "bob · holds 12 Yes" in words(shown)
    assert "<em>glass</em>" in shown
    assert "<script" not in shown
    settings.SHOW_HOLDINGS = False
    assert "holds" not in talk(await bobs.get(PAGE))


async def test_an_answer_an_edit_and_a_report_each_have_a_form(bobs, bob, alice, market):
    hers, _ = await in_thread(
        comments.write, market_id=market.pk, author=alice, said="It is broken.", now=NOW
    )
    await send(bobs, text="Which one?", parent=hers.pk)
    answer = await in_thread(lambda: Comment.objects.get(parent=hers))
    await send(bobs, f"{PAGE}/comments/{answer.pk}/edit", text="Which glass?")
    told = await send(bobs, f"{PAGE}/comments/{hers.pk}/report", reason="Rude")
    page = await bobs.get(told.headers["Location"])
    assert "Thank you. Staff will look at it." in page.text
    assert "Which glass?" in talk(page)
    assert "Edited" in words(talk(page))
    before = await bobs.get(f"{PAGE}/comments/{answer.pk}")
    assert "Which one?" in before.text, "what it said before can be read"


async def test_a_text_without_a_form_to_stand_in_stands_in_the_first_one(bobs, alice, bob, market):
    def write():
        hers = comments.write(market_id=market.pk, author=alice, said="Hers", now=NOW)[0]
        mine = comments.write(market_id=market.pk, author=bob, said="Mine", now=NOW)[0]
        for one in (hers, mine):
            comments.decide(comment_id=one.pk, actor=alice, now=NOW, decision="hidden")
        return hers, mine

    hers, mine = await in_thread(write)
    for path, fields in (
        (f"{PAGE}/comment", {"parent": hers.pk}),
        (f"{PAGE}/comment", {"parent": "9" * 20}),
        (f"{PAGE}/comments/{mine.pk}/edit", {}),
        (f"{PAGE}/comments/{hers.pk}/edit", {}),
    ):
        answer = await send(bobs, path, text="My words", **fields)
        assert answer.status_code == 200
        assert "My words</textarea>" in talk(answer), (path, fields)
        assert 'role="alert"' in talk(answer)
    assert (await bobs.get(f"{PAGE}/comments/{hers.pk}")).status_code == 404, "it is hidden"


async def test_an_answer_to_an_older_comment_leads_to_where_it_is_shown(bobs, market):
    def write():
        for number in range(33):
            who = person(f"writer{number}")
            comments.write(market_id=market.pk, author=who, said=f"Reason {number:02}", now=NOW)
        return Comment.objects.earliest("pk")

    first = await in_thread(write)
    answer = await send(bobs, text="So it is.", parent=first.pk)
    page = await bobs.get(answer.headers["Location"])
    assert "So it is." in talk(page)
    assert "Newest comments" in talk(page)


async def test_a_small_text_makes_no_large_page(bobs, market):
    table = "|" + "a|" * 600 + "\n|" + "-|" * 600 + "\n" + "|\n" * 1190
    await send(bobs, text=table)
    assert len((await bobs.get(PAGE)).text) < 40_000


@pytest.mark.parametrize("text", ["https://example.org/a", "x" * 5001])
async def test_what_cannot_be_stored_stays_in_its_field_with_a_sentence(bobs, market, text):
    for fields in ({}, {"parent": "12"}):
        answer = await send(bobs, text=text, **fields)
        assert answer.status_code == 200
        assert text in answer.text
        assert 'role="alert"' in talk(answer)


async def test_who_was_signed_out_keeps_what_they_wrote(bobs, market):
    sent = {"text": "The glass falls.", "csrfmiddlewaretoken": await token(bobs)}
    await in_thread(Session.objects.all().delete)
    answer = await bobs.post(f"{PAGE}/comment", data=sent)
    assert "You are signed out." in words(talk(answer))
    assert "The glass falls.</textarea>" in talk(answer)
    await sign_in(bobs, "bob")  # the token changes with it
    answer = await bobs.post(f"{PAGE}/comment", data=sent)
    assert "send it again" in words(talk(answer))
    assert "The glass falls.</textarea>" in talk(answer)
    assert not await in_thread(Comment.objects.exists)


async def test_what_is_hidden_leaves_a_line_and_what_is_pinned_stands_first(
    client, alice, bob, market
):
    def write():
        made = [
            comments.write(market_id=market.pk, author=bob, said=said, now=NOW)[0]
            for said in ("First", "Second", "Third")
        ]
        for one, decision in zip(made, ("pinned", "hidden"), strict=False):
            comments.decide(comment_id=one.pk, actor=alice, now=NOW, decision=decision)

    await in_thread(write)
    shown = words(talk(await client.get(PAGE)))
    assert shown.index("First") < shown.index("Third")
    assert "pinned" in shown
    assert "Second" not in shown
    assert "Staff have hidden this comment." in shown
    assert "Sign in to say what you think" in shown


async def test_older_comments_are_a_page_away_and_a_draft_has_none(client, make_market, market):
    def write():
        for number in range(33):
            who = person(f"writer{number}")
            comments.write(market_id=market.pk, author=who, said=f"Reason {number:02}", now=NOW)

    await in_thread(write)
    page = talk(await client.get(PAGE))
    assert "Reason 32" in page
    assert "Reason 02" not in page
    older = re.search(r'href="(\?before=\d+)#', page)[1]
    rest = talk(await client.get(PAGE + older))
    assert re.findall(r"Reason \d+", rest) == ["Reason 02", "Reason 01", "Reason 00"]
    await in_thread(make_market, "Secret?", status="draft")
    await in_thread(person, "ada", is_staff=True, is_superuser=True)
    await sign_in(client, "ada")
    assert 'class="talk"' not in (await client.get("/markets/secret")).text
