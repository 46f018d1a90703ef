"""What tests of the services may use besides."""

import pytest

from markets.domain.amounts import MICRO
from markets.selectors import audit
from tests.support.factory import order, trade, yes_no
from tests.support.people import person


@pytest.fixture
def the_audit_is_clean(world):
    """After a test, every promise of the ledger holds."""
    yield
    assert audit.breaches() == []


@pytest.fixture
def traded(make_market, bob):
    """Bob holds Yes, Charlie holds No and a little Yes."""
    market, charlie = make_market(), person("charlie")
    yes, no = yes_no(market)
    trade(bob, market, order(yes, shares=100 * MICRO))
    trade(charlie, market, order(no, shares=60 * MICRO))
    trade(charlie, market, order(yes, shares=7 * MICRO))
    return market, charlie
