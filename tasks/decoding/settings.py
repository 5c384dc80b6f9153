"""Options of text generation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Named, NotTyped, Range, check

Method = Literal["greedy", "beam", "sample"]


@dataclass(frozen=True)
class Decoding:
    """How texts are generated, token by token.

    Lengths are in tokens, without the end token. Options of other methods are ignored.

    Attributes:
        method: decoding method. "greedy" takes the most probable token in each step; "beam" keeps
            the `beam_width` best beginnings; "sample" draws each token by its probability.
        answers: how many answers an input gets. The best ones of "beam", independent ones of
            "sample", 1 of "greedy".
        beam_width: beam size.
        length_penalty: length penalty of beam search; higher favours longer texts. It is alpha of
            Wu et al. 2016, "GNMT", equation 14; 0 ranks by probability alone; translation uses 0.6
            to 1.
        coverage_penalty: coverage penalty of beam search; higher favours texts that use all of the
            input. It is beta of the same equation, and needs a model with attention.
        temperature: sampling temperature, which log-probabilities are divided by.
        top_k: sample from this many of the most probable tokens. None for all.
        top_p: sample from the smallest set of tokens with this total probability, among those that
            `top_k` left. Holtzman et al. 2020, section 3.1. None for all.
        minimum_length: minimum length of generated texts, in tokens. The end token is not generated
            before; a smaller maximum goes first.
        maximum_length: maximum length of generated texts, in tokens. The end token is forced after
            so many.
        no_repeat_ngram: size of n-grams that must not repeat within a text. None for no limit.
        repetition_penalty: repetition penalty (CTRL, Keskar et al. 2019); 1 disables it. The logits
            of tokens that the text already holds are divided by it where they are above zero, and
            multiplied where they are below (section 4.1 divides both, which makes the improbable
            more probable).
        language_model: run folder of a language model that the beam search of
            many-to-many-unaligned ranks texts by, too. It is one of characters, words or subwords,
            as the texts are made of. None for none.
        language_weight: weight of the language model's log-probabilities.

    Raises:
        SeqzooError: a value is out of range, or a language model is not for the method.
    """

    method: Method = "greedy"
    answers: Annotated[Count, NotTyped("it is --top of predictions and --count of texts")] = 1
    beam_width: Count = 4
    length_penalty: Annotated[float, Range(least=0)] = 0.0
    coverage_penalty: Annotated[float, Range(least=0)] = 0.0
    temperature: Annotated[float, Range(above=0)] = 1.0
    top_k: Count | None = None
    top_p: Annotated[float, Range(above=0, most=1)] | None = None
    minimum_length: Annotated[int, Range(least=0)] = 0
    maximum_length: Annotated[Count, Named("longest-answer")] = 100
    no_repeat_ngram: Count | None = None
    repetition_penalty: Annotated[float, Range(above=0)] = 1.0
    language_model: str | None = None
    language_weight: Annotated[float, Range(least=0)] = 0.5

    def __post_init__(self) -> None:
        check(self)
        if self.minimum_length > self.maximum_length:
            raise SeqzooError(
                f"`minimum_length` must be at most `maximum_length`, {self.maximum_length}, "
                f"got {self.minimum_length}.",
                field="minimum_length",
            )
        if self.language_model is not None and self.method != "beam":
            raise SeqzooError(
                f"`language_model` is for the method 'beam', got {self.method!r}.",
                field="language_model",
            )
        most = {"greedy": 1, "beam": self.beam_width}.get(self.method, self.answers)
        if self.answers > most:
            raise SeqzooError(
                f"`answers` must be at most {most} with the method {self.method!r}"
                f"{' and this `beam_width`' if self.method == 'beam' else ''}, got {self.answers}.",
                field="answers",
            )
