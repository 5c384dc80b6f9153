"""How answers are generated: the choices of a user."""

from dataclasses import dataclass
from typing import Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import choose

Method = Literal["greedy", "beam", "sample"]


@dataclass(frozen=True)
class Decoding:
    """How answers are generated, token by token.

    Lengths are in tokens, without the end token. What belongs to another method is ignored.

    Attributes:
        method: "greedy" takes the most probable token in each step; "beam" keeps the
            `beam_width` best beginnings; "sample" draws each token by its probability.
        answers: how many answers an input gets: the best ones of "beam", independent ones of
            "sample", 1 of "greedy".
        minimum_length: the end token is not generated before; a smaller maximum goes first.
        maximum_length: the end token is forced after so many tokens.
        no_repeat_ngram: size of the n-grams that occur only once in an answer; None for no limit.
        repetition_penalty: what the logits of tokens that the answer already holds are divided by
            where they are above zero, and multiplied by where they are below (Keskar et al.
            2019, "CTRL", section 4.1, divides both, which makes the improbable more probable).
            1 for none.
        beam_width: of "beam".
        length_penalty: alpha of "beam" (Wu et al. 2016, "GNMT", equation 14); 0 ranks by
            probability alone, larger ones favour long answers; translation uses 0.6 to 1.
        coverage_penalty: beta of "beam", in the same equation; answers that leave parts of the
            source unattended rank lower. Needs a model with attention.
        temperature: what the log-probabilities of "sample" are divided by.
        top_k: "sample" draws from so many most probable tokens; None for all.
        top_p: "sample" draws from the fewest most probable tokens that together have this
            probability, among those that `top_k` left (Holtzman et al. 2020, section 3.1); None
            for all.

    Raises:
        SeqzooError: a value is out of its range.
    """

    method: Method = "greedy"
    answers: int = 1
    minimum_length: int = 0
    maximum_length: int = 100
    no_repeat_ngram: int | None = None
    repetition_penalty: float = 1.0
    beam_width: int = 4
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        choose("method", self.method, Method)
        for name, least in (
            ("answers", 1),
            ("minimum_length", 0),
            ("maximum_length", 1),
            ("no_repeat_ngram", 1),
            ("beam_width", 1),
            ("length_penalty", 0),
            ("coverage_penalty", 0),
            ("top_k", 1),
        ):
            value = getattr(self, name)
            # Written so that a NaN is refused, too.
            if value is not None and not value >= least:
                raise SeqzooError(field=name, expected=f"at least {least}", got=value)
        for name in ("repetition_penalty", "temperature"):
            if not getattr(self, name) > 0:
                raise SeqzooError(field=name, expected="above 0", got=getattr(self, name))
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SeqzooError(field="top_p", expected="above 0 and at most 1", got=self.top_p)
        if self.minimum_length > self.maximum_length:
            raise SeqzooError(
                f"`minimum_length` must be at most `maximum_length`, {self.maximum_length}, "
                f"got {self.minimum_length}.",
                field="minimum_length",
            )
        most = {"greedy": 1, "beam": self.beam_width}.get(self.method, self.answers)
        if self.answers > most:
            raise SeqzooError(
                f"`answers` must be at most {most} with the method {self.method!r}"
                f"{' and this `beam_width`' if self.method == 'beam' else ''}, got {self.answers}.",
                field="answers",
            )
