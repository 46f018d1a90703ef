"""Who hears of an event: rows in the app, and e-mail for those who have an address."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import Q, QuerySet

from markets.domain.event_types import EventType
from markets.domain.permissions import Permission
from markets.models import Event, Notification, Status, Trade

BATCH = 100  # e-mails sent over one connection


def create_for(event: Event, *, now: datetime) -> list[Notification]:
    """Notify those whom the event concerns, once each; return what they are told.

    Staff who may see drafts hear of every new market, followers of a category when a market in it becomes public, and the
    person who wrote a market of its first trade.
    """
    market = event.market
    if event.type == EventType.TRADE:
        if (
            market.created_by_id is None
            or Trade.objects.filter(market=market, seq__lt=event.seq).exists()
        ):
            return []
        recipients = _users(Q(pk=market.created_by_id))
        text = f"First trade: {market.name}"
    elif event.type == EventType.CREATED:
        recipients = _who_see_drafts()
        if market.public:
            recipients |= _followers(event)
        text = f"New market: {market.name}"
    elif event.payload.get("from") == Status.DRAFT and event.type != EventType.CANCELLED:
        recipients = _followers(event)
        text = f"Now public: {market.name}"
    else:
        return []
    # neither an import of a thousand rows nor a trade is a reason for e-mail
    by_mail = event.type != EventType.TRADE and not event.payload.get("imported")
    email_field = get_user_model().get_email_field_name()
    rows = [
        Notification(
            user_id=user.pk,
            event=event,
            text=text,
            created_at=now,
            email_due=by_mail and bool(getattr(user, email_field)),
        )
        for user in recipients.distinct()
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


def _who_see_drafts() -> QuerySet[AbstractBaseUser]:
    permitted = get_user_model()._default_manager.with_perm(Permission.SEE_DRAFTS)
    return permitted.filter(is_staff=True)


def _users(which: Q) -> QuerySet[AbstractBaseUser]:
    return get_user_model()._default_manager.filter(which, is_active=True)


def _followers(event: Event) -> QuerySet[AbstractBaseUser]:
    return _users(
        Q(
            followed_categories__category_id=event.market.category_id,
            followed_categories__isnull=False,
        )
    )


def send_due_emails() -> int:
    """Send a batch of due e-mails; gives how many left. Each is sent at least once, and by one worker at a time."""
    with transaction.atomic():
        due = list(
            Notification.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(email_due=True)
            .select_related("user", "event__market")
            .order_by("pk")[:BATCH]
        )
        if not due:
            return 0
        with get_connection() as connection:
            connection.send_messages([_email(notification) for notification in due])
        Notification.objects.filter(pk__in=[notification.pk for notification in due]).update(
            email_due=False
        )
    return len(due)


def _email(notification: Notification) -> EmailMessage:
    market, user = notification.event.market, notification.user
    address = getattr(user, user.get_email_field_name())
    subject = " ".join(notification.text.split())[:150]
    link = settings.BASE_URL + market.get_absolute_url()
    return EmailMessage(subject=subject, body=f"{notification.text}\n\n{link}\n", to=[address])
