"""Inputs damaged in a thousand ways, judged alike for every format."""

from collections import Counter
from collections.abc import Callable, Iterable

from adapters.contract import Translation, Untranslatable


def judged(
    seeds: Iterable[int],
    damaged: Callable[[int], bytes],
    translate: Callable[[bytes], Translation],
    faults: Callable[[Translation], list[str]],
) -> tuple[Counter[str], dict[int, list[str]]]:
    """How many were refused and translated, and what is wrong with which of them."""
    seen: Counter[str] = Counter()
    wrong: dict[int, list[str]] = {}
    for seed in seeds:
        try:
            translation = translate(damaged(seed))
        except Untranslatable as refused:
            seen["refused"] += 1
            wrong |= {} if refused.where and refused.reason else {seed: ["refused without a place"]}
            continue
        seen["translated"] += 1
        if found := faults(translation):
            wrong[seed] = found[:3]
    return seen, wrong
