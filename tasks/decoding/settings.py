"""Options of text generation."""

from dataclasses import dataclass
from typing import Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import choose

Method = Literal["greedy", "beam", "sample"]


@dataclass(frozen=True)
class Decoding:
    """How texts are generated, token by token.

    Lengths are in tokens, without the end token. Options of other methods are ignored.

    Attributes:
        method: "greedy" takes the most probable token at each step; "beam" keeps the `beam_width`
            best partial texts; "sample" draws each token according to its probability.
        answers: number of texts per input: the best ones for "beam", independent ones for
            "sample", 1 for "greedy".
        minimum_length: no end token is generated before this length; a smaller maximum takes
            precedence.
        maximum_length: an end token is forced after this many tokens.
        no_repeat_ngram: size of n-grams that may occur only once in a text; None for no limit.
        repetition_penalty: divides the positive logits and multiplies the negative logits of
            tokens that already occur in the text (Keskar et al. 2019, "CTRL", section 4.1, divides
            both, which makes improbable tokens more probable). 1 for none.
        beam_width: beam size of "beam".
        length_penalty: alpha of "beam" (Wu et al. 2016, "GNMT", equation 14); 0 ranks only by
            probability, larger values favour long texts; translation uses 0.6 to 1.
        coverage_penalty: beta of "beam", in the same equation; ranks texts lower that leave parts
            of the source unattended. Needs a model with attention.
        temperature: divides the log-probabilities of "sample".
        top_k: "sample" draws from this many most probable tokens; None for all.
        top_p: "sample" draws from the fewest most probable tokens that together have this
            probability, among those that `top_k` left (Holtzman et al. 2020, section 3.1); None
            for all.

    Raises:
        SeqzooError: a value is out of range.
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
