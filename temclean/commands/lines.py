"""Lines for people: one line each, whatever stands in the names, the metadata and the messages that it is made of."""

import unicodedata

import click


def escaped(text: object) -> str:
    r"""Return a text as one line that a terminal shows and does not obey.

    File names and metadata may hold line ends, colours, and codes that retitle a window or turn the reading direction.

    Examples
    --------
    >>> print(escaped("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    return "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else ascii(letter)[1:-1]
        for letter in str(text)
    )


def echo(line: str, *, err: bool = False) -> None:
    """Print a line to stdout, or to stderr."""
    click.echo(escaped(line), err=err)


def say(line: str) -> None:
    """Print a message to stderr."""
    echo(f"temclean: {line}", err=True)
