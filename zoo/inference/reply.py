"""One line of the output of `seqzoo predict`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """The output for a line.

    Attributes:
        text: the prediction, or what is wrong with the line.
        bad: whether the line is invalid.
        error: what is wrong, without the location.
        location: the location of an invalid line, as in "line 18"; empty otherwise.
        aside: whether it is a remark rather than a prediction.
    """

    text: str
    bad: bool = False
    error: str = ""
    location: str = ""
    aside: bool = False
