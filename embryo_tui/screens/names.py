"""How tasks, groups and statistics are written for people, and what to run where something is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from embryo_tui.raster.axes import short

TASKS = {
    "train-log": "training log",
    "reconstruct": "reconstruct",
    "mask-predict": "mask-predict",
    "mlm": "held-out MLM",
    "lama": "knowledge",
    "attention": "attention",
}
#: The families of models that are trained here; a recipe has a table for each that needs settings of its own.
FAMILIES = ("albert", "bert", "electra")
#: The paper's probing tasks (section 4), and others that are known by name.
PROBES = {
    "probe-pos": "part of speech",
    "probe-const": "constituents",
    "probe-srl": "semantic roles",
    "probe-coref": "coreference",
}
TASKS |= PROBES
#: GLUE's tasks, SQuAD, and the number that figures 5 and 12 show of each. WNLI is left out, as in the paper.
DOWNSTREAM = {
    "cola": "CoLA",
    "sst2": "SST-2",
    "mrpc": "MRPC",
    "stsb": "STS-B",
    "qqp": "QQP",
    "mnli": "MNLI",
    "qnli": "QNLI",
    "rte": "RTE",
    "squad2": "SQuAD 2.0",
}
GLUE_SCORE = "GLUE score"
#: The headline curves: task, metric, label, and what they are called.
HEADLINES = (
    ("mask-predict", "accuracy", "all", "mask-predict"),
    ("reconstruct", "accuracy", "all", "reconstruct"),
    ("mlm", "accuracy", "all", "held-out MLM"),
    ("lama", "p1", "all", "knowledge P@1"),
)
#: Statistics that are shares of a head's attention; the others have units of their own.
SHARES = ("diagonal", "previous", "next", "cls", "sep", "punctuation")
GROUPINGS = {
    "group": "parts of speech",
    "class": "function and content words",
    "form": "verb forms",
    "tag": "tags",
    "band": "bands of frequency",
}
WORD_TASKS = {"reconstruct": "Reconstruction", "mask-predict": "Mask prediction"}
#: What the columns of an order of birth mean.
BORN = "born: the first saved step at half of the final accuracy; after: the saved step before it"


#: What a panel says until the store has answered.
READING = "reading …"


def to_run(task: str) -> str:
    """The command that fills a gap."""
    return f"embryo-eval --task {task}"


def missing(task: str, answered: bool) -> str:
    """What an empty panel says: that the store is still being read, or what would fill it."""
    return f"nothing stored: {to_run(task)}" if answered else READING


def under(name: str, protocol: str, seed: int = 0) -> str:
    """A name with its protocol, where that is not the paper's, and with its seed, where there is one."""
    name = name if protocol == "paper" else f"{name}, {protocol}"
    return f"{name}, seed {seed}" if seed else name


def count(number: int | None) -> str:
    """A whole number with thousands apart; a dash where there is none."""
    return "–" if number is None else f"{number:,}"


def share(value: float | None, decimals: int = 3) -> str:
    """A part of one, without the leading zero; a dash where there is none."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("0.") else text


def chance(value: float, decimals: int = 3) -> str:
    """A probability; a small one is told from none."""
    least = 10.0**-decimals
    return f"<{share(least, decimals)}" if 0 < value < least / 2 else share(value, decimals)


def change(value: float | None) -> str:
    """A signed difference."""
    if value is None or value != value:
        return ""
    return f"{value:+.3f}".replace("+0.", "+.", 1).replace("-0.", "-.", 1)


def stands_in(shown: int | None, wanted: int) -> str:
    """Says so where an earlier step's result is shown for the cursor's."""
    if shown is None or shown == wanted:
        return ""
    return f"{short(shown)} shown for {short(wanted)}"


def spoken(pieces: str) -> str:
    """Word pieces with spaces between them as text: SentencePiece's and WordPiece's marks are taken away."""
    if "▁" in pieces:
        return pieces.replace(" ", "").replace("▁", " ").strip()
    return pieces.replace(" ##", "")


def predictions(tokens: Sequence[str], shares: Iterable[float]) -> str:
    """Words with their probabilities, best first."""
    return "  ".join(
        f"{spoken(token)} {chance(float(part), 2)}" for token, part in zip(tokens, shares, strict=False)
    )


def labels(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Word pieces as names of rows: a piece inside a word begins with a dash."""
    marked = any(piece.startswith("▁") for piece in pieces)

    def label(piece: str) -> str:
        if piece.startswith("##"):
            return f"-{piece[2:]}"
        if piece.startswith(("▁", "[")) or not marked:
            return piece.lstrip("▁") or "▁"
        return f"-{piece}"

    return tuple(label(piece) for piece in pieces)
