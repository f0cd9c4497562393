"""Wikitext to paragraphs: templates, tables, references, files and categories go, the text of links stays.

The parser is mwparserfromhell's; which nodes carry running text is decided here. Knows no files.
"""

from __future__ import annotations

import re
from typing import Any

import mwparserfromhell
from mwparserfromhell import nodes

#: Tags whose content is no running text.
_DROPPED_TAGS = frozenset(
    (
        *("ref", "references", "table", "gallery", "math", "chem", "ce", "timeline", "score"),
        *("syntaxhighlight", "source", "pre", "code", "graph", "imagemap", "nowiki", "hiero", "section"),
        *("mapframe", "maplink"),
    )
)
#: Links that show nothing in the text: pictures, sounds, categories.
_DROPPED_LINKS = ("file:", "image:", "media:", "category:")
#: Sections that hold lists of works and links rather than text.
_DROPPED_SECTIONS = frozenset(
    ("see also", "references", "external links", "further reading", "notes", "bibliography", "sources")
)
#: Templates that stand for words in the text, and which of their parameters those are.
_WORDY = {"lang": slice(1, 2), "nowrap": slice(0, 1), "convert": slice(0, 2), "cvt": slice(0, 2)}
_LINE_TAGS = frozenset(("br", "li", "dd", "dt", "hr"))
_EMPTY_BRACKETS = re.compile(r"\([;,:\s]*\)")
_EMPTY_BEGINNING = re.compile(r"\([;,:\s]+")
_SPACES = re.compile(r"[ \t\u00a0]+")
_BEFORE_MARK = re.compile(r" ([,.;:!?])")
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(-[a-z]+)*:")


def paragraphs(wikitext: str) -> list[str]:
    """The paragraphs of a page: no headings, no sections of mere lists of works, at least one letter each."""
    parts: list[str] = []
    _walk(mwparserfromhell.parse(wikitext, skip_style_tags=True), parts)
    lines = (_tidied(line) for line in "".join(parts).split("\n"))
    return [line for line in lines if any(map(str.isalpha, line))]


def _walk(code: Any, parts: list[str]) -> None:
    """Adds the text of ``code`` to ``parts``; a dropped section lasts until a heading of its level."""
    dropped = 0
    for node in code.nodes:
        if isinstance(node, nodes.Heading):
            if not dropped or node.level <= dropped:
                named = str(node.title).strip().lower() in _DROPPED_SECTIONS
                dropped = node.level if named else 0
            parts.append("\n")
        elif not dropped:
            _add(node, parts)


def _add(node: Any, parts: list[str]) -> None:
    match node:
        case nodes.Text():
            parts.append(node.value.replace("'''''", "").replace("'''", "").replace("''", ""))
        case nodes.Wikilink():
            title = str(node.title).strip().lower()
            if not title.startswith(_DROPPED_LINKS) and not (
                _LANGUAGE_LINK.match(title) and node.text is None
            ):
                _walk(node.title if node.text is None else node.text, parts)
        case nodes.ExternalLink():
            if node.title is not None:
                _walk(node.title, parts)
        case nodes.Tag():
            name = str(node.tag).strip().lower()
            if name in _LINE_TAGS:
                parts.append("\n")
            if name not in _DROPPED_TAGS and node.contents is not None:
                _walk(node.contents, parts)
        case nodes.HTMLEntity():
            parts.append(node.normalize())
        case nodes.Template():
            shown = _WORDY.get(str(node.name).strip().lower())
            for parameter in node.params[shown] if shown is not None else ():
                _walk(parameter.value, parts)
                parts.append(" ")


def _tidied(line: str) -> str:
    """One line without list marks, brackets that lost their content, and stray spaces."""
    line = _EMPTY_BEGINNING.sub("(", _EMPTY_BRACKETS.sub("", line.lstrip("*#:;| ")))
    return _BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", line)).strip()
