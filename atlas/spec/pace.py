"""How long the kinds of work of a network take, held against each other: what estimates of time rest on.

One figure for all networks, so many multiply-adds a second, was two times too long for plain convolutions and up to
fourteen times too short for depthwise ones, GELU and layer norms. These weights are the least squares over 41 layers of
fourteen families, an early, a middle and a late one of each: see docs/benchmarks.md.
"""

from atlas.spec.facts import WORK, Work

# How many multiply-adds of a wide convolution take as long as one multiply-add, one value, or, whatever the picture's
# size, one computation of its kind. What convolutions are fed and what pools look at came out as nothing.
PACE = Work(wide=1, point=1.1, apart=4.2, curved=160, normed=220, moved=51, nodes=700_000)
PICTURE = 3_900  # the same for each pixel of a picture: its spectrum, its transforms and its optimizer


def equivalent(work: Work, side: float, together: int) -> float:
    """The multiply-adds of a wide convolution that take as long as the work for one picture of ``side`` px, forward,
    where so many go ``together``: the computations are begun once for all of them."""
    each = {kind: getattr(work, kind) * getattr(PACE, kind) for kind in WORK}
    return float(each.pop("nodes") / together + side**2 * sum(each.values()))
