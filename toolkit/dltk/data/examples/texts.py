"""An example of texts: what customers write to a bank, by intent."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

__all__ = ["write_intents"]

_TRAIN, _TEST = 110, 40  # per intent
_OPENINGS = ("", "Hello,", "Hi there,", "Good morning,", "Please help:", "Quick question:", "Sorry to ask again,")
_CLOSINGS = ("", "", "", "Thanks", "Thank you in advance", "I use the app", "This is urgent", "I am abroad")
_ASKS = ("where", "how", "what", "which", "why", "can", "is", "do")
_WORDS = {
    "card": ("card", "debit card", "bank card", "new card", "Visa card"),
    "when": ("a week ago", "on Monday", "last month", "ten days ago", "before the holidays"),
    "sum": ("50 euros", "120 pounds", "a thousand dollars", "my rent", "200 francs"),
    "who": ("my landlord", "a friend", "my daughter", "a shop", "another bank"),
    "money": ("euros", "dollars", "pounds", "yen", "francs", "crowns"),
}
_INTENTS = {
    "card_arrival": (
        "where is my {card}", "my {card} has not arrived yet", "I ordered a {card} {when} and it is not here",
        "how long does delivery of the {card} take", "can I track the {card} you sent {when}",
        "the {card} should have been in the post {when}",
    ),
    "pin_blocked": (
        "my PIN is blocked", "I typed the wrong PIN for my {card} three times", "how do I unblock the PIN of my {card}",
        "the machine shows that the PIN of my {card} is locked", "I forgot the code of my {card}",
        "since {when} my {card} rejects the code",
    ),
    "transfer_failed": (
        "my transfer to {who} failed", "I tried to send {sum} to {who} and it was declined",
        "why was the payment of {sum} to {who} returned", "the transfer of {sum} I made {when} did not go through",
        "{who} has not received {sum} I sent {when}", "sending {sum} shows an error",
    ),
    "exchange_rate": (
        "what is the exchange rate for {money}", "how many {money} do I get for {sum}",
        "which rate do you use for {money}", "I want to change {sum} into {money}",
        "is the rate for {money} better than {when}", "do you charge a fee to convert to {money}",
    ),
    "lost_card": (
        "I lost my {card}", "my {card} was stolen {when}", "please block my {card}, I cannot find it",
        "someone took my purse with the {card}", "I left my {card} in a taxi {when}",
        "freeze the {card}, it is missing since {when}",
    ),
    "close_account": (
        "I want to close my account", "how do I cancel the account I opened {when}",
        "please delete my profile and account", "I am leaving for {who}, close everything",
        "end my contract with you", "I no longer need the account, pay out {sum} and close it",
    ),
}  # fmt: skip


def write_intents(folder: Path) -> None:
    """train.csv and test.csv with the columns text and label: 660 and 240 texts of six intents, each text once.

    About a sixth of the test texts have a wording that no training text has.
    """
    rng = np.random.default_rng(31)
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    seen: set[str] = set()
    for label, patterns in _INTENTS.items():
        for number in range(_TRAIN + _TEST):
            split = "train" if number < _TRAIN else "test"
            known = patterns[:-1] if split == "train" else patterns
            text = _text(rng, known)
            while text in seen:
                text = _text(rng, known)
            seen.add(text)
            rows[split].append((text, label))
    for name, found in rows.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("text", "label"))
            writer.writerows(found[each] for each in rng.permutation(len(found)))


def _text(rng: np.random.Generator, patterns: tuple[str, ...]) -> str:
    def one(choices: tuple[str, ...]) -> str:
        return choices[rng.integers(len(choices))]

    middle = one(patterns).format(**{name: one(words) for name, words in _WORDS.items()})
    mark = "?" if middle.split()[0] in _ASKS else "."
    text = " ".join(part for part in (one(_OPENINGS), middle + mark, one(_CLOSINGS)) if part)
    return text[0].upper() + text[1:]
