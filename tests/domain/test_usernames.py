"""Names that people may have, and those that look like somebody else's."""

import pytest

from markets.domain import usernames
from markets.domain.errors import Invalid

STAFF = ["Alice", "bill_o"]


@pytest.mark.parametrize("name", ["anna", "Zoë", "Ünal_7", "Οδυσσέας", "иван", "supermarket", "Modesty", "alice2", "al", "李雷"])  # fmt: skip
def test_a_name_of_ones_own_is_allowed(name):
    assert usernames.clean("name", f" {name} ") == name
    usernames.check_imitates("name", name, STAFF)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Choose a name"),
        ("x" * 31, "31 characters"),
        ("anna\nb", "no spaces. How about anna_b?"),
        ("anna smith", "How about anna_smith?"),
        ("\u202ealice", "How about alice?"),
        ("al\u200bice", "How about al_ice?"),
        ("\u3164", "no spaces"),
        ("bob@example.org", "How about bob_example_org?"),
        ("a\u0301\u0301\u0301\u0301", "How about"),
        ("...", "at least one letter"),
        ("<b>", "How about b?"),
    ],
)
def test_what_is_no_name_is_refused_with_a_sentence_that_helps(name, says):
    with pytest.raises(Invalid) as refusal:
        usernames.clean("name", name)
    assert says in refusal.value.fields["name"]


@pytest.mark.parametrize("name", [
    "admin", "ADMIN", "Adm1n", "a.d-m_i.n", "admin7", "аdmin", "ⓐdmin", "ádmín", "bellwether_support", "BellwetherAnna",
    "5taff", "ѕtaff", "rnoderator", "m0derat0r", "the.system", "MARKET", "mɑrket",
])  # fmt: skip
def test_a_name_that_speaks_for_the_site_is_refused(name):
    with pytest.raises(Invalid, match="spoke for this site"):
        usernames.check_imitates("name", usernames.clean("name", name), STAFF)


@pytest.mark.parametrize("name", ["alice", "a1ice", "AIice", "αlice", "Аlice", "al.ice", "alíce", "bi11o", "BILL-0", "ＡＬＩＣＥ"])  # fmt: skip
def test_a_name_that_looks_like_one_of_the_staff_is_refused(name):
    with pytest.raises(Invalid, match="member of staff"):
        usernames.check_imitates("name", usernames.clean("name", name), STAFF)
