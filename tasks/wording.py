"""Numbers of things in messages."""


def counted(number: int, noun: str) -> str:
    """A number and its noun in the singular or plural: "1 field", "1,200 fields"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agreed(number: int, singular: str, plural: str) -> str:
    """The form of a verb that agrees with a number: `agreed(1, "is", "are")` is "is"."""
    return singular if number == 1 else plural
