"""How long the kinds of work of a network take, held against each other: what estimates of time rest on.

One figure for all networks, so many multiply-adds a second, was two times too long for plain convolutions and up to
fourteen times too short for depthwise ones, GELU and layer norms. What each kind takes was found from 41 layers of
fourteen families, an early, a middle and a late one of each, on one machine: see docs/benchmarks.md. Another machine
is told from it by timing each kind alone, ``ascent.calibration``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from atlas.spec.facts import WORK, Work


@dataclass(frozen=True)
class Pace:
    """What one core takes for the kinds of work, forward and its gradient, in any one unit of time.

    ``kinds`` has that of one multiply-add, one value, or, whatever the picture's size, one computation of each kind.
    What convolutions are fed and what pools look at came out as nothing. ``picture`` is for each pixel of a picture:
    its spectrum, its transforms and its optimizer.
    """

    kinds: Work
    picture: float

    def network(self, work: Work, side: float, together: int) -> float:
        """The time for ``work`` of a network on one picture of ``side`` px, where so many go ``together``: its
        computations are begun once for all of them."""
        each = {kind: getattr(work, kind) * getattr(self.kinds, kind) for kind in WORK}
        return float(each.pop("nodes") / together + side**2 * sum(each.values()))

    def times(self, factors: Mapping[str, float]) -> "Pace":
        """The pace where each kind of work, and ``picture``, takes so many times as long."""
        kinds = {kind: getattr(self.kinds, kind) * factors.get(kind, 1.0) for kind in WORK}
        return Pace(Work(**kinds), self.picture * factors["picture"])

    def all_times(self, factor: float) -> "Pace":
        """The pace where all takes so many times as long."""
        return self.times(dict.fromkeys((*WORK, "picture"), factor))


# In multiply-adds of a convolution over neighbours that take as long.
RELATIVE = Pace(Work(wide=1, point=1.1, apart=4.2, curved=160, normed=220, moved=51, nodes=700_000), picture=3_900)

# Floating point operations a second of a core that was never measured: between the 40e9 of an old core with AVX2 and
# the 110e9 of one with AVX-512.
GUESSED_SPEED = 65e9
FITTED_SPEED = 78e9  # of the machine that RELATIVE was found on, an AMD EPYC with AVX2, two processes at once

# Seconds for a unit of each kind, as ``ascent.calibration`` times them, on that machine.
TIMED = {
    "wide": 2.6e-11,
    "point": 3.0e-11,
    "apart": 1.5e-10,
    "curved": 4.4e-9,
    "normed": 3.3e-9,
    "moved": 6.8e-10,
    "nodes": 2.1e-5,
    "picture": 1.22e-7,
}


def at_speed(speed: float) -> Pace:
    """The pace, in seconds, of a core that does so many floating point operations a second of such convolutions: a
    multiply-add is two, and so is its gradient."""
    return RELATIVE.all_times(4 / speed)


def calibrated(timed: Mapping[str, float]) -> Pace:
    """The pace, in seconds, of a machine where the kinds of work, timed alone, took ``timed``."""
    return at_speed(FITTED_SPEED).times({kind: timed[kind] / there for kind, there in TIMED.items()})
