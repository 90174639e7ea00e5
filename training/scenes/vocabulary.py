"""A tokenizer for captions: byte-level pairs, learned from captions, so that no word of any language is unknown."""

import json
from collections.abc import Iterable
from typing import Final

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

LENGTH: Final = 32  # tokens of a caption, the first and last among them
_BEGIN: Final = "<|startoftext|>"
_END: Final = "<|endoftext|>"
_WORD_END: Final = "</w>"


def learn_tokenizer(captions: Iterable[str], *, size: int = 1200) -> CLIPTokenizer:
    """A CLIP tokenizer with the pairs that these captions are full of, and every byte with and without a word's end.

    Args:
        size: of the vocabulary, at most; 514 of it are bytes and marks.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    cutter = _tokenizer(alphabet, []).backend_tokenizer  # cuts texts into words as the finished one will
    learner = Tokenizer(models.BPE(end_of_word_suffix=_WORD_END, continuing_subword_prefix=""))
    learner.normalizer, learner.pre_tokenizer = cutter.normalizer, cutter.pre_tokenizer
    learner.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=size - 2,
            end_of_word_suffix=_WORD_END,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    learned = json.loads(learner.to_str())["model"]["merges"]
    pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in learned]
    return _tokenizer(alphabet, pairs[: size - 2 - 2 * len(alphabet)])


def _tokenizer(alphabet: list[str], pairs: list[tuple[str, ...]]) -> CLIPTokenizer:
    words = [
        *alphabet,
        *(one + _WORD_END for one in alphabet),
        *("".join(pair) for pair in pairs),
        _BEGIN,
        _END,
    ]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(dict.fromkeys(words))},
        merges=pairs,
        model_max_length=LENGTH,
    )
