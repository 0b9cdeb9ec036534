"""The decoder's first lesson: which patches answer a phrase.

CLIPSeg's decoder multiplies the deepest features by what the phrase says, channel by channel. Random weights start that
product at a hundred times what the following layers are made for, and the decoder then spends thousands of steps on
marking the object whatever it is asked. Here the product alone is learned first, read as the sum of its channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..devices import mixed_precision
from .progress import learning_rate
from .recipe import ClipSegRecipe

START = -2.0
"""Logit of every patch before anything is learned: most of a picture is not what a phrase asks for."""
FINER_SHARE = 0.2
"""Of their random size: how strongly the earlier layers' features, which no phrase has chosen, enter at first."""

Batch = dict[str, torch.Tensor]


def learn_to_match(
    model: Any,
    recipe: ClipSegRecipe,
    draw: Callable[[int, int, int], Batch],
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    device: torch.device,
) -> float:
    """Train the first reduction and the FiLM layers of ``model``'s decoder in place, the encoders untouched.

    Args:
        model: a ``CLIPSegForImageSegmentation`` of the recipe, conditioned at its deepest layer.
        draw: (step, pictures, phrases) → a batch with ``pixel_values``, tokens and ``targets``.
        loss_of: (logits [N, s, s], targets [N, S, S]) → loss.

    Returns:
        The mean loss of the last 20 steps; 0 where the recipe asks for no such lesson (``matching_steps``).
    """
    options = recipe.training
    steps = options.get("matching_steps", 0)
    if not steps:
        return 0.0
    decoder, deepest = model.decoder, model.extract_layers[-1] + 1
    reduce, scale, shift = decoder.reduces[0], decoder.film_mul, decoder.film_add
    start = torch.nn.Parameter(torch.tensor(START, device=device))
    parameters = [*reduce.parameters(), *scale.parameters(), *shift.parameters(), start]
    optimizer = torch.optim.AdamW(parameters, lr=options["matching_rate"], weight_decay=0.01)
    losses: list[float] = []
    for step in range(-1, steps):  # the first batch only sets the size of the weights
        phrases = options["matching_phrases"]
        batch = {k: v.to(device) for k, v in draw(max(step, 0), options["batch_size"], phrases).items()}
        with torch.no_grad(), mixed_precision(device):
            hidden = model.clip.vision_model(batch["pixel_values"], output_hidden_states=True).hidden_states[deepest]
            text = model.clip.text_model(batch["input_ids"], attention_mask=batch["attention_mask"]).pooler_output
            conditional = model.clip.text_projection(text).float()[:, None]
        patches = hidden.float()[:, 1:].repeat_interleave(phrases, dim=0)
        product = (scale(conditional) * reduce(patches) + shift(conditional)).sum(dim=2) / reduce.out_features**0.5
        if step < 0:
            with torch.no_grad():
                reduce.weight.div_(product.std())
                reduce.bias.zero_()
                shift.weight.mul_(0.1)
                for finer in decoder.reduces[1:]:
                    finer.weight.mul_(FINER_SHARE)
                    finer.bias.zero_()
            continue
        side = round(product.shape[1] ** 0.5)
        loss = loss_of(start + product.view(-1, side, side), batch["targets"])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, options["matching_rate"], min(30, steps))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-20:]) / len(losses[-20:])
