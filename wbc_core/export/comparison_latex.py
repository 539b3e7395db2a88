"""The tables of a comparison as LaTeX, in the style of booktabs."""

from collections.abc import Sequence

from wbc_core.export.card_blocks import Section, Table

_MEANING = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "[": "{[}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "–": "--",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text without a meaning in LaTeX, on one line.

    Example:
        >>> print(escaped("a_b & 5 %"))
        a\\_b \\& 5 \\%
    """
    return "".join(_MEANING.get(letter, letter) for letter in " ".join(text.split()))


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def as_latex(sections: Sequence[Section]) -> str:
    """Write every table as a floating `table*`; what is no table is left out.

    Args:
        sections: Of `comparison_sections`.

    Returns:
        LaTeX to `\\input` into a document that loads the packages booktabs and graphicx.
    """
    parts = [r"% \usepackage{booktabs,graphicx}"]
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Table):
                parts.append(_table(section.title, block))
    return "\n\n".join(parts) + "\n"


def _table(title: str, table: Table) -> str:
    caption = f"{title}. {table.note}" if table.note else f"{title}."
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"\toprule",
        _row(table.head),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table*}",
    ]
    return "\n".join(lines)
