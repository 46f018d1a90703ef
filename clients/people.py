"""The simulated people: who they are and when they trade.

The person at place `i` has the mind `MINDS[i % len(MINDS)]`: by turns noise, momentum, informed.
"""

from typing import Final, NamedTuple


class Person(NamedTuple):
    name: str
    joined: float  # days ago
    wakes: float  # hour in UTC
    looks: float  # at markets, on a working day
    error: float  # of what an informed person takes for the truth, in log-odds


PEOPLE: Final = (
    Person("ines.k", 63, 7, 3.4, 0),
    Person("m_okafor", 62, 8, 5.1, 0),
    Person("tobias", 63, 6.5, 11, 0.2),
    Person("priya", 60, 4, 3.4, 0),
    Person("j.lindqvist", 62, 7, 3.4, 0),
    Person("anouk", 61, 8, 8.5, 0.35),
    Person("r_moreau", 55, 7.5, 2.5, 0),
    Person("kofi.b", 58, 9, 6, 0),
    Person("yuki", 57, 1, 9.3, 0.15),
    Person("dana", 50, 14, 3.4, 0),
    Person("s_haddad", 47, 6, 3.4, 0),
    Person("piotr.w", 62, 7, 6.8, 0.5),
    Person("amara", 41, 8, 2.5, 0),
    Person("g.castellano", 44, 8.5, 5.1, 0),
    Person("nils", 38, 7, 9.3, 0.25),
    Person("hyejin", 33, 0.5, 3.4, 0),
    Person("obrannigan", 36, 9, 3.4, 0),
    Person("farida", 30, 5, 8.5, 0.4),
    Person("theo_v", 25, 8, 3.4, 0),
    Person("marisol", 27, 15, 3.4, 0),
    Person("b.nakamura", 21, 2, 11, 0.3),
    Person("cleo", 16, 10, 5.1, 0),
    Person("ewan.m", 13, 8, 5.1, 0),
    Person("lena_h", 9, 7, 11, 0.2),
)
