"""Tables on standard output: rows are whole, however narrow the terminal, and in a pipe."""

from collections.abc import Iterable, Sequence


def show(columns: Sequence[str], rows: Iterable[Sequence[object]], left: int, dim: Iterable[int] = ()) -> None:
    """Print a table.

    Parameters: ``columns`` are its headings, of which the first ``left`` stand to the left and all others to the right;
    ``dim`` are the rows that are shown dimmed, from 0.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=True)
    dimmed = set(dim)
    for place, row in enumerate(rows):
        table.add_row(*(Text(_printable(str(cell))) for cell in row), style="dim" if place in dimmed else None)
    console = Console(highlight=False)
    console.width = max(console.width, console.measure(table, options=console.options.update(max_width=10_000)).maximum)
    console.print(table, crop=False)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
