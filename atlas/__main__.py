"""``python -m atlas`` is the command line."""

import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  pathlib is not loaded yet

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path[0] != HOME:
        del sys.path[0]  # the current folder, by Python's -m: what lies there is not ours to run
    from atlas.cli import main

    main()
