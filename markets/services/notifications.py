"""Notify users of events: in the app, and by e-mail those who have an address."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.mail import EmailMessage, get_connection
from django.db import transaction

from markets.domain.event_types import EventType
from markets.domain.permissions import Permission
from markets.models import Event, Notification, Status, Trade


def create_for(event: Event, *, now: datetime) -> list[Notification]:
    """Create the notifications of an event, one for each user.

    Staff who may see drafts hear of every new market, followers of a category of each market that
    becomes public in it, the creator of a market of its first trade, and who holds shares of a
    proposed resolution.
    """
    market = event.market
    users = get_user_model()._default_manager.filter(is_active=True)
    followers = users.filter(followed_categories__category__markets=market)
    if event.type == EventType.TRADE:
        earlier = Trade.objects.filter(market=market, seq__lt=event.seq)
        if market.created_by_id is None or earlier.exists():
            return []
        title, recipients = "First trade", users.filter(pk=market.created_by_id)
    elif event.type == EventType.CREATED:
        staff = get_user_model()._default_manager.with_perm(Permission.SEE_DRAFTS)
        title, recipients = "New market", staff.filter(is_staff=True)
        if market.public:
            recipients |= followers
    elif event.type == EventType.PROPOSED:
        title = "Resolution proposed"
        recipients = users.filter(positions__market=market, positions__shares__gt=0)
    elif event.payload.get("from") == Status.DRAFT and event.type != EventType.CANCELLED:
        title, recipients = "Now public", followers
    else:
        return []
    # an import would send thousands of e-mails, and a trade is not worth one
    by_email = event.type != EventType.TRADE and not event.payload.get("imported")
    notifications = [
        Notification(
            user_id=user.pk,
            event=event,
            text=f"{title}: {market.name}",
            created_at=now,
            email_due=by_email and bool(_address(user)),
        )
        for user in recipients.distinct()
    ]
    Notification.objects.bulk_create(notifications, ignore_conflicts=True)
    return notifications


def send_due_emails() -> int:
    """Send a batch, each e-mail at least once and by one worker at a time. Return its size."""
    with transaction.atomic():
        due = list(
            Notification.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(email_due=True)
            .select_related("user", "event__market")
            .order_by("pk")[:100]
        )
        if due:
            with get_connection() as connection:
                connection.send_messages([_email(notification) for notification in due])
            Notification.objects.filter(pk__in=[sent.pk for sent in due]).update(email_due=False)
    return len(due)


def _address(user: AbstractBaseUser) -> str:
    return str(getattr(user, user.get_email_field_name()) or "")


def _email(notification: Notification) -> EmailMessage:
    link = settings.BASE_URL + notification.event.market.get_absolute_url()
    return EmailMessage(
        subject=" ".join(notification.text.split())[:150],
        body=f"{notification.text}\n\n{link}\n",
        to=[_address(notification.user)],
    )
