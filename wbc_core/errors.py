"""The one error that a user may see, and how it reads."""


class WbcError(Exception):
    """Bad input, said so that a person can mend it.

    Args:
        what: What was wrong, naming the thing (a file, an option, a record).
        expected: What would have been right.
        got: What came instead.
        fix: What to do next, as an instruction.

    Example:
        >>> str(WbcError("The fractions do not add up.", expected="a sum of 1", got=1.2, fix="Use 0.7,0.3."))
        'The fractions do not add up. Expected a sum of 1; got 1.2. Use 0.7,0.3.'
    """

    def __init__(
        self, what: str, *, expected: object = None, got: object = None, fix: str | None = None
    ) -> None:
        self.what, self.expected, self.got, self.fix = what, expected, got, fix
        comparison = "; ".join(
            f"{word} {value}" for word, value in (("expected", expected), ("got", got)) if value is not None
        )
        sentences = [what, comparison[:1].upper() + comparison[1:] + "." if comparison else "", fix or ""]
        super().__init__(" ".join(" ".join(sentence.split()) for sentence in sentences if sentence))


class Cancelled(BaseException):
    """Raised inside a job that was asked to stop; not an error, so that no handler for errors swallows it."""
