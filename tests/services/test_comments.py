"""What people say about a market: once, in words, not too often; what is hidden is said nowhere."""

from datetime import timedelta

import pytest

from markets.domain.amounts import MICRO
from markets.domain.errors import (
    AlreadyDone,
    Forbidden,
    Invalid,
    NotFound,
    PreviewOutdated,
    RateLimited,
)
from markets.domain.limits import COMMENT_LENGTH, MOST_COMMENTS_A_MINUTE
from markets.models import Comment, Event
from markets.selectors import comments as reading
from markets.selectors import workqueue
from markets.services import comments, resolution
from markets.tasks import reactions
from tests.support.clock import NOW
from tests.support.factory import edit_now, make_market, resolve
from tests.support.people import person
from tests.support.threads import together

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def say(market, who, said="The glass falls.", now=NOW, **facts):
    return comments.write(market_id=market.pk, author=who, said=said, now=now, **facts)[0]


def edit(comment, who, said, now=NOW):
    return comments.edit(comment_id=comment.pk, author=who, said=said, now=now)


def decide(comment, who, decision, now=NOW):
    return comments.decide(comment_id=comment.pk, actor=who, now=now, decision=decision)


def told(market):
    """The payloads of what was said, as the public log has them."""
    return list(
        market.events.filter(type__startswith="comment.")
        .order_by("seq")
        .values_list("payload", flat=True)
    )


def test_the_log_names_a_comment_and_never_its_words(market, bob):
    comment = say(market, bob)
    comments.edit(comment_id=comment.pk, author=bob, said="It rises.", now=NOW)
    assert told(market) == [
        {"comment_id": comment.pk},
        {"comment_id": comment.pk, "change": "edited"},
    ]
    assert not Event.objects.filter(payload__icontains="glass").exists()


def test_an_answer_has_one_level_and_an_open_parent_in_the_same_market(market, bob, alice):
    reason = say(market, bob)
    answer = say(market, alice, "It is broken.", parent_id=reason.pk)
    with pytest.raises(Invalid, match="answer the comment that began it"):
        say(market, bob, "No.", parent_id=answer.pk)
    elsewhere = make_market("Will it snow?")
    with pytest.raises(NotFound):
        say(elsewhere, bob, "No.", parent_id=reason.pk)
    decide(reason, alice, "hidden")
    with pytest.raises(NotFound):
        say(market, bob, "No.", parent_id=reason.pk)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "Write what you think"),
        (" \u200b\n ", "Write what you think"),
        ("x" * (COMMENT_LENGTH + 1), "at most 5000"),
        ("x" * 100_000, "at most 5000"),
        ("https://example.org/a https://example.org/b", "Say in a few words"),
        ("[](https://example.org)", "Say in a few words"),
        ("It is\0so", "Control characters"),
    ],
)
def test_a_comment_says_something_in_words(market, bob, said, why):
    with pytest.raises(Invalid, match=why):
        say(market, bob, said)
    assert not Comment.objects.exists()


def test_the_same_words_within_a_minute_are_the_same_comment(market, bob, alice):
    first = say(market, bob)
    assert say(market, bob, now=NOW + SECOND) == first
    assert say(market, alice) != first
    assert say(market, bob, now=NOW + MINUTE + SECOND) != first
    assert len(told(market)) == 3


def test_nobody_says_more_than_five_things_a_minute(market, bob):
    for number in range(MOST_COMMENTS_A_MINUTE):
        say(market, bob, f"Reason {number}", now=NOW + number * SECOND)
    elsewhere = make_market("Will it snow?")
    with pytest.raises(RateLimited) as refusal:
        say(elsewhere, bob, "One more", now=NOW + 10 * SECOND)
    assert refusal.value.retry_after == 51
    say(elsewhere, bob, "One more", now=NOW + MINUTE)


def test_nor_at_once_on_real_locks(market, bob):
    def one(number):
        try:
            return say(market, bob, f"Reason {number}")
        except RateLimited:
            return None

    found = together(10, one)
    assert sum(comment is not None for comment in found) == MOST_COMMENTS_A_MINUTE
    assert Comment.objects.count() == MOST_COMMENTS_A_MINUTE


def test_a_draft_has_no_comments_and_a_settled_market_has(market, bob):
    with pytest.raises(NotFound):
        say(make_market("Secret?", status="draft"), bob)
    say(resolve(market, yes=MICRO), bob, "I said so.")


def test_only_who_wrote_it_edits_it_and_each_text_is_kept(market, bob, alice):
    comment = say(market, bob, "One")
    with pytest.raises(Forbidden):
        comments.edit(comment_id=comment.pk, author=alice, said="Hers", now=NOW)
    for number, said in enumerate(("Two", "Two", "Three")):
        comments.edit(comment_id=comment.pk, author=bob, said=said, now=NOW + number * SECOND)
    comment.refresh_from_db()
    assert (comment.text, comment.edited_at) == ("Three", NOW + 2 * SECOND)
    assert list(comment.versions.values_list("text", "written_at")) == [("Two", NOW), ("One", NOW)]
    decide(comment, alice, "hidden")
    with pytest.raises(Forbidden):
        comments.edit(comment_id=comment.pk, author=bob, said="Four", now=NOW)


def test_staff_hide_show_and_pin_and_each_once(market, bob, alice):
    comment, answer = say(market, bob), None
    answer = say(market, alice, "Why?", parent_id=comment.pk)
    for decision in ("pinned", "pinned", "unpinned", "hidden", "hidden", "shown", "shown"):
        decide(comment, alice, decision)
    changes = [payload["change"] for payload in told(market) if "change" in payload]
    assert changes == ["pinned", "unpinned", "hidden", "shown"]
    with pytest.raises(Invalid):
        decide(answer, alice, "pinned")


def test_edits_count_as_comments(market, bob):
    comment = say(market, bob)
    for number in range(MOST_COMMENTS_A_MINUTE - 1):
        edit(comment, bob, f"Edit {number}", NOW + SECOND)
    with pytest.raises(RateLimited):
        edit(comment, bob, "One more", NOW + 2 * SECOND)
    with pytest.raises(RateLimited):
        say(market, bob, "Another", now=NOW + 2 * SECOND)
    edit(comment, bob, "One more", NOW + MINUTE + SECOND)


def test_line_ends_of_forms_are_those_of_the_api(market, bob):
    comment = say(market, bob, "One\r\ntwo")
    assert comment.text == "One\ntwo"
    edit(comment, bob, "One\r\ntwo")
    assert not comment.versions.exists()
    say(market, bob, "abcd\r\n" * 999 + "abcd", now=NOW + SECOND)  # 4,999 characters


def test_ten_are_pinned_at_most_and_what_is_hidden_is_not(market, alice, bob):
    made = [say(market, bob, f"Reason {n}", now=NOW + n * MINUTE) for n in range(11)]
    for comment in made[:10]:
        decide(comment, alice, "pinned")
    with pytest.raises(Invalid, match="unpin one first"):
        decide(made[10], alice, "pinned")
    decide(made[0], alice, "hidden")
    made[0].refresh_from_db()
    assert made[0].pinned_at is None
    decide(made[10], alice, "pinned")
    assert {one.pk for one in reading.newest(market.pk, before_id=None, most=30)} == {
        one.pk for one in made
    }


def test_a_comment_has_a_hundred_answers_at_most(market, bob, alice, monkeypatch):
    monkeypatch.setattr(comments, "MOST_ANSWERS", 2)
    reason = say(market, bob)
    for said in ("One", "Two"):
        say(market, alice, said, parent_id=reason.pk)
    with pytest.raises(Invalid, match="begin anew"):
        say(market, alice, "Three", parent_id=reason.pk)


def test_what_was_kept_can_be_reported_again(market, bob, alice):
    comment, carol = say(market, bob), person("carol")
    facts = {"comment_id": comment.pk, "reporter": carol, "now": NOW}
    comments.report(reason="Rude", **facts)
    decide(comment, alice, "shown")
    edit(comment, bob, "Very rude words")
    comments.report(reason="Rude now", **facts)
    assert workqueue.reported_comments(NOW).get() == comment


def test_a_comment_is_reported_once_by_each_and_a_decision_closes_the_reports(market, bob, alice):
    comment, carol = say(market, bob), person("carol")
    for who in (alice, carol):
        comments.report(comment_id=comment.pk, reporter=who, reason="Rude", now=NOW)
    with pytest.raises(AlreadyDone):
        comments.report(comment_id=comment.pk, reporter=carol, reason="Very rude", now=NOW)
    with pytest.raises(Invalid):
        comments.report(comment_id=comment.pk, reporter=bob, reason="Mine", now=NOW)
    decide(comment, alice, "shown")
    assert not comment.reports.filter(decided_at=None).exists()
    assert told(market) == [{"comment_id": comment.pk}], "it was shown all the time"
    decide(comment, alice, "hidden")
    with pytest.raises(NotFound):
        comments.report(comment_id=comment.pk, reporter=alice, reason="Rude", now=NOW)


def test_talk_does_not_outdate_what_staff_are_about_to_confirm(market, bob):
    seen = market.seq
    say(market, bob)
    what = {"market_id": market.pk, "actor": None, "now": NOW, "note": ""}
    with pytest.raises(PreviewOutdated):
        resolution.cancel_market(**what, expected_seq=10**6)
    with pytest.raises(PreviewOutdated):
        resolution.cancel_market(**what, expected_seq=seen - 1)
    assert resolution.cancel_market(**what, expected_seq=seen).status == "cancelled"


def test_who_is_deleted_leaves_their_reasons_behind(market, bob, alice):
    comment = say(market, bob)
    bob.delete()
    comment.refresh_from_db()
    assert (comment.author, comment.text) == (None, "The glass falls.")


def test_a_comment_needs_no_reaction(market, bob):
    say(market, bob)
    event = market.events.latest("seq")
    reactions.react(event.pk)
    event.refresh_from_db()
    assert not event.pending
    edit_now(market, name="Will it pour?")
