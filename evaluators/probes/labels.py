"""The labels that a probe tells apart: the paper's lists (protocols, section "Edge probing"), fixed in
number and order, so that a classifier has the paper's size whatever the corpus holds; or a corpus's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from evaluators.corpora.edges import APART, TOGETHER, EdgeCorpus, EdgeTask

#: Whose labels: the paper's lists, or what the corpus uses.
Whose = Literal["paper", "corpus"]

_POS = """
$ '' , -LRB- -RRB- . : ADD AFX CC CD DT EX FW HYPH IN JJ JJR JJS LS MD NFP NN NNP NNPS NNS PDT POS PRP PRP$ RB
RBR RBS RP SYM TO UH VB VBD VBG VBN VBP VBZ WDT WP WP$ WRB ``
"""
_CONSTITUENTS = """
ADJP ADVP CONJP EMBED FRAG INTJ LST META NAC NML NP NX PP PRN PRT QP RRC S SBAR SBARQ SINV SQ TOP UCP VP
WHADJP WHADVP WHNP WHPP X
"""
_ROLES = """
ARG0 ARG1 ARG2 ARG3 ARG4 ARG5 ARGA
ARGM-ADJ ARGM-ADV ARGM-CAU ARGM-COM ARGM-DIR ARGM-DIS ARGM-DSP ARGM-EXT ARGM-GOL ARGM-LOC ARGM-LVB ARGM-MNR
ARGM-MOD ARGM-NEG ARGM-PNC ARGM-PRD ARGM-PRP ARGM-PRR ARGM-PRX ARGM-REC ARGM-TMP
C-ARG0 C-ARG1 C-ARG2 C-ARG3 C-ARG4
C-ARGM-ADJ C-ARGM-ADV C-ARGM-CAU C-ARGM-COM C-ARGM-DIR C-ARGM-DIS C-ARGM-DSP C-ARGM-EXT C-ARGM-LOC C-ARGM-MNR
C-ARGM-MOD C-ARGM-NEG C-ARGM-PRP C-ARGM-TMP
R-ARG0 R-ARG1 R-ARG2 R-ARG3 R-ARG4 R-ARG5
R-ARGM-ADV R-ARGM-CAU R-ARGM-COM R-ARGM-DIR R-ARGM-EXT R-ARGM-GOL R-ARGM-LOC R-ARGM-MNR R-ARGM-MOD R-ARGM-PNC
R-ARGM-PRD R-ARGM-PRP R-ARGM-TMP
"""

#: Task → labels, in the order of the classifier's outputs.
PAPER_LABELS: Mapping[EdgeTask, tuple[str, ...]] = {
    "pos": tuple(_POS.split()),
    "const": tuple(_CONSTITUENTS.split()),
    "srl": tuple(_ROLES.split()),
    "coref": (APART, TOGETHER),
}


def labels_of(corpus: EdgeCorpus, task: EdgeTask, whose: Whose) -> tuple[str, ...]:
    """The labels of ``task``'s probe on ``corpus``."""
    return PAPER_LABELS[task] if whose == "paper" else corpus.labels[task]


def parameters(width: int, spans: int, labels: int) -> int:
    """The size of a linear classifier over ``spans`` concatenated span vectors: weights and biases."""
    return (spans * width + 1) * labels
