"""A small bilingual tokenizer in CLIP's own format: lower-case, byte-level BPE, trained on captions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(captions: Iterable[str], vocab_size: int, max_length: int, folder: Path) -> None:
    """Learn merges from ``captions`` and save a ``CLIPTokenizer`` into ``folder``.

    All 256 bytes are in the vocabulary, alone and at the end of a word, so no text is unknown.

    Args:
        vocab_size: entries including the 512 bytes and the two special tokens.
        max_length: tokens a prompt is padded to.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    backend = Tokenizer(models.BPE(unk_token=END, continuing_subword_prefix="", end_of_word_suffix="</w>"))
    reference = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[]).backend_tokenizer
    backend.normalizer = reference.normalizer or normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    backend.pre_tokenizer = reference.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(alphabet) - 2,
        end_of_word_suffix="</w>",
        initial_alphabet=alphabet,
        special_tokens=[],
        show_progress=False,
    )
    backend.train_from_iterator(captions, trainer)
    model = json.loads(backend.to_str())["model"]
    learned = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    tokens = alphabet + [f"{byte}</w>" for byte in alphabet]
    merges = []
    for left, right in learned:
        if left in tokens and right in tokens:
            merges.append((left, right))
            if left + right not in tokens:
                tokens.append(left + right)
    vocabulary = {token: index for index, token in enumerate([*tokens, START, END])}
    tokenizer = CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        model_max_length=max_length,
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
