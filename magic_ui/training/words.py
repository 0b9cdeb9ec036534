"""The text encoder's first lesson: which place and which thing a phrase names.

A random text encoder answers every phrase with nearly the same vector, and a decoder that cannot tell the phrases apart
learns to mark the object whatever it is asked. This lesson needs no pictures and takes a minute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .progress import learning_rate
from .recipe import ClipSegRecipe

EMBED_DEVIATION = 0.6
"""Of the phrases' vectors when the lesson ends: cross-entropy lets them grow until the decoder cannot use them."""


def learn_words(
    model: Any, recipe: ClipSegRecipe, tokenizer: Any, meanings: dict[str, tuple[str, str]], device: torch.device
) -> float:
    """Train ``model``'s text encoder and its projection in place on what phrases mean.

    Args:
        model: a ``CLIPSegForImageSegmentation`` of the recipe.
        meanings: (place, thing) of every phrase; each pair is drawn equally often.

    Returns:
        The share of the last 20 batches whose place and thing were both read rightly; 0 where the recipe asks for no
        such lesson (``words_steps``).
    """
    options = recipe.training
    steps = options.get("words_steps", 0)
    if not steps:
        return 0.0
    phrases: dict[tuple[str, str], list[str]] = {}
    for phrase, meaning in meanings.items():
        phrases.setdefault(meaning, []).append(phrase)
    pairs = sorted(phrases)
    names = [sorted({pair[k] for pair in pairs}) for k in (0, 1)]
    torch.manual_seed(recipe.seed + 1)
    heads = torch.nn.ModuleList([torch.nn.Linear(recipe.model["projection_dim"], len(n)) for n in names]).to(device)
    encoder, projection = model.clip.text_model, model.clip.text_projection
    parameters = [*encoder.parameters(), *projection.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=options["lessons_rate"], weight_decay=options["weight_decay"])
    model.train()
    right: list[float] = []
    for step in range(steps):
        generator = np.random.default_rng([recipe.seed, 2, step])
        drawn = [pairs[int(k)] for k in generator.integers(len(pairs), size=options["words_batch_size"])]
        texts = [str(generator.choice(phrases[pair])) for pair in drawn]
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, options["lessons_rate"], min(50, steps))
        embeds = projection(encoder(tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output)
        loss, hits = torch.zeros((), device=device), torch.ones(len(drawn), dtype=torch.bool, device=device)
        for k, head in enumerate(heads):
            target = torch.tensor([names[k].index(pair[k]) for pair in drawn], device=device)
            logits = head(embeds)
            loss = loss + F.cross_entropy(logits, target)
            hits &= logits.argmax(1) == target
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        right.append(float(hits.float().mean()))
    with torch.no_grad():
        projection.weight.mul_(EMBED_DEVIATION / embeds.std())
    return float(np.mean(right[-20:]))
