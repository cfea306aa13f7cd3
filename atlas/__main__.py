"""``python -m atlas`` is the command line."""

from atlas.cli import main

if __name__ == "__main__":
    main()
