"""Text from outside as a terminal may have it: names of files and values in them may hold any character."""


def printable(text: str) -> str:
    """Escape what would break a line or steer a terminal: control characters, marks of direction, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def printable_lines(text: str) -> str:
    """Escape each line of a text, and leave the lines as they are."""
    return "\n".join(printable(line) for line in text.split("\n"))


def one_line(text: str) -> str:
    """Fold a text into one line, and escape it."""
    return printable(" ".join(text.split()))
