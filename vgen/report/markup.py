"""Sheets as Markdown and LaTeX text, with everything that users can name escaped."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from vgen.report.table import REAL, Cell, Sheet

_LATEX = {
    "\\": r"$\backslash$", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\~{}", "^": r"\^{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    "[": "{[}", "]": "{]}", "*": "{*}", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "\N{EN DASH}": "--", "…": r"\dots{}", "\N{MINUS SIGN}": "$-$", "\N{MULTIPLICATION SIGN}": r"$\times$",
    "†": r"$^{\dagger}$", "Δ": r"$\Delta$",
    "\n": " ", "\t": " ",
}  # fmt: skip
# What the kernel's OT1 fonts can put on a letter.
_ACCENTS = set("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327")


def escape_markdown(text: str) -> str:
    """`text` so that Markdown shows it as it is, inside a table too."""
    text = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_latex(text: str) -> str:
    """`text` so that pdfLaTeX prints it without further packages; what it lacks prints as its code point."""
    return "".join(
        _LATEX.get(letter) or _latex_letter(letter) for letter in unicodedata.normalize("NFC", text)
    )


def markdown_table(sheet: Sheet) -> str:
    """A GitHub table; the protocol's stamp is the second line of a heading."""
    corner = " \\ ".join(part for part in (sheet.corner, sheet.span) if part)
    heads = [escape_markdown(corner)]
    for heading in sheet.headings:
        stamp = f"<br>{escape_markdown(heading.stamp)}" if heading.stamp else ""
        heads.append(f"{escape_markdown(heading.name)} {heading.arrow}".rstrip() + stamp)
    lines = [heads, [":---", *["---:"] * len(sheet.headings)]]
    for name, cells in zip(sheet.names, sheet.cells, strict=True):
        lines.append([escape_markdown(name), *(_markdown_cell(cell) for cell in cells)])
    if sheet.real:
        lines.append([f"*{REAL}*", *(escape_markdown(cell.text) for cell in sheet.real)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def markdown_document(title: str, sheet: Sheet, notes: Sequence[str]) -> str:
    return f"# {escape_markdown(title)}\n\n{markdown_table(sheet)}\n{markdown_list(notes)}"


def markdown_section(title: str, sheet: Sheet, notes: Sequence[str] = ()) -> str:
    """What follows the document's first table."""
    return f"\n## {escape_markdown(title)}\n\n{markdown_table(sheet)}\n{markdown_list(notes)}"


def markdown_list(notes: Sequence[str]) -> str:
    return "".join(f"- {escape_markdown(note)}\n" for note in notes)


def latex_table(sheet: Sheet, notes: Sequence[str] = ()) -> str:
    """A tabular for a document that loads booktabs; marks in the headings refer to the stamps below it.

    Names that are made of factors get a column for each, since a page of paper is narrow. Notes (what runs are
    missing ...) become comments.
    """
    stamps = list(dict.fromkeys(heading.stamp for heading in sheet.headings if heading.stamp))
    names = sheet.values or [[name] for name in sheet.names]
    heads = [escape_latex(key) for key in sheet.keys or [sheet.corner]]
    columns = f"{'l' * len(heads)}{'r' * len(sheet.headings)}"
    for heading in sheet.headings:
        mark = f"$^{{{_mark(stamps.index(heading.stamp))}}}$" if heading.stamp else ""
        heads.append(f"{escape_latex(heading.name)} {escape_latex(heading.arrow)}".rstrip() + mark)
    lines = [f"% {' '.join(note.split())}" for note in notes]
    lines += [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *_latex_span(sheet),
        _latex_line(heads),
        r"\midrule",
    ]
    for name, cells in zip(names, sheet.cells, strict=True):
        numbers = [_bold(cell, escape_latex, r"\textbf{{{}}}") for cell in cells]
        lines.append(_latex_line([*map(escape_latex, name), *numbers]))
    if sheet.real:
        real = [REAL, *[""] * (len(names[0]) - 1), *(escape_latex(cell.text) for cell in sheet.real)]
        lines += [r"\midrule", _latex_line(real)]
    lines.append(r"\bottomrule")
    below = [rf"$^{{{_mark(i)}}}$ {escape_latex(stamp)}" for i, stamp in enumerate(stamps)]
    if sheet.keys and sheet.corner:
        below.append(escape_latex(sheet.corner))
    lines += [rf"\multicolumn{{{len(heads)}}}{{l}}{{\footnotesize {line}}} \\" for line in below]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def _markdown_cell(cell: Cell) -> str:
    interval = f"<br>{escape_markdown(cell.interval)}" if cell.interval else ""
    return _bold(cell, escape_markdown, "**{}**") + interval


def _bold(cell: Cell, escape: Callable[[str], str], pattern: str) -> str:
    text = escape(cell.text)
    return pattern.format(text) if cell.best else text


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_span(sheet: Sheet) -> list[str]:
    """The line above the headings that says what they are."""
    if not sheet.span:
        return []
    columns = len(sheet.headings)
    return [
        rf" & \multicolumn{{{columns}}}{{c}}{{{escape_latex(sheet.span)}}} \\",
        rf"\cmidrule(lr){{2-{columns + 1}}}",
    ]


def _mark(i: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[i % 26] * (i // 26 + 1)


def _latex_letter(letter: str) -> str:
    parts = unicodedata.normalize("NFD", letter)
    plain = letter.isascii() and letter.isprintable()
    # LaTeX declares the accented letters of Latin-1 and Latin Extended-A only.
    accented = letter < "\u0180" and len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS
    return letter if plain or accented else rf"\texttt{{U+{ord(letter):04X}}}"
