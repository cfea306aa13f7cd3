"""atlas from Python: pictures, feature maps and exemplars as plain numpy arrays. ``import atlas`` is enough.

TensorFlow is started here, on one thread of the cores, as in a build's workers: the same bytes come out. Whoever
imports it before has it as they started it. What else is theirs stays as it is, see ``guest``.
"""

from atlas.runtime import start_as_guest

THREADS = 1

start_as_guest(THREADS)
