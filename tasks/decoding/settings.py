"""The options of text generation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, NotTyped, Range, check

Method = Literal["greedy", "beam", "sample"]


@dataclass(frozen=True)
class Decoding:
    """How texts are generated, token by token.

    Lengths are in tokens, without the end token. Options of other methods are ignored.

    Attributes:
        method: decoding method. "greedy" takes the most probable token in each step; "beam" keeps
            the `beam_width` best partial texts; "sample" draws each token from the model's
            distribution.
        count: number of texts per input. The best ones with "beam", independent ones with
            "sample", a single one with "greedy".
        beam_width: beam size.
        length_penalty: length penalty of beam search; higher values favour longer texts. It is
            alpha in Wu et al. 2016, "GNMT", equation 14; 0 ranks by probability alone; translation
            uses 0.6 to 1.
        coverage_penalty: coverage penalty of beam search; higher values favour texts that cover
            all of the input. It is beta in the same equation, and needs a model with attention.
        temperature: sampling temperature; log-probabilities are divided by it.
        top_k: number of most probable tokens to sample from. None for all.
        top_p: nucleus sampling: sample from the most probable tokens that together reach this
            probability, among those that `top_k` keeps. Holtzman et al. 2020, section 3.1. None for
            all.
        minimum_length: minimum length of generated texts, in tokens. The end token is not generated
            before that many tokens; a smaller maximum takes precedence.
        maximum_length: maximum length of generated texts, in tokens. The end token is forced after
            that many.
        no_repeat_ngram: size of n-grams that must not repeat within a text. None for no limit.
        repetition_penalty: repetition penalty (CTRL, Keskar et al. 2019); 1 disables it. The logits
            of tokens that the text already contains are divided by it if they are positive, and
            multiplied if they are negative (section 4.1 divides both, which makes improbable
            tokens more probable).
        language_model: run folder of a language model that also scores texts in the beam search of
            many-to-many-unaligned (shallow fusion). It must use the tokens of the texts:
            characters, words or subwords. None for no language model.
        language_weight: weight of the language model's log-probabilities.
        replace_unknown: let an encoder-decoder write unknown tokens, and replace each with the
            input token that has the highest attention weight. For models with attention that read
            and write words or characters.

    Raises:
        SeqzooError: a value is out of range, or a language model is given with a method other than
            beam search.
    """

    method: Method = "greedy"
    count: Annotated[Count, NotTyped("it is --top for predictions and --count for texts")] = 1
    beam_width: Count = 4
    length_penalty: Annotated[float, Range(minimum=0)] = 0.0
    coverage_penalty: Annotated[float, Range(minimum=0)] = 0.0
    temperature: Annotated[float, Range(minimum=1e-6, maximum=1_000_000)] = 1.0
    top_k: Count | None = None
    top_p: Annotated[float, Range(above=0, maximum=1)] | None = None
    minimum_length: Annotated[int, Range(minimum=0)] = 0
    maximum_length: Count = 100
    no_repeat_ngram: Annotated[int, Range(minimum=1, maximum=100)] | None = None
    repetition_penalty: Annotated[float, Range(above=0)] = 1.0
    language_model: str | None = None
    language_weight: Annotated[float, Range(minimum=0)] = 0.5
    replace_unknown: bool = False

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
        maximum = {"greedy": 1, "beam": self.beam_width}.get(self.method, self.count)
        if self.count > maximum:
            raise SeqzooError(
                f"`count` must be at most {maximum} with the method {self.method!r}"
                f"{' and this `beam_width`' if self.method == 'beam' else ''}, got {self.count}.",
                field="count",
            )
