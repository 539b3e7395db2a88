"""What the lab knows about a file format that a model can leave in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from wbc_core.errors import WbcError
from wbc_core.export.check import Predict, Rule, float_rule
from wbc_core.export.original import Original
from wbc_core.progress import Progress
from wbc_core.records import Json

READ_PICTURE = """\
import json
from pathlib import Path

import numpy as np
from PIL import Image

passport = json.loads(Path("passport.json").read_text())
height, width, _ = passport["input"]["shape"]
picture = Image.open("cell.png").convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
images = np.asarray(picture, dtype=passport["input"]["type"])[np.newaxis]
"""
"""Python that reads the picture of one cell for any exported model, run in the exported folder."""
NAME_CLASS = """
print(passport["classes"][int(probabilities.argmax())], float(probabilities.max()))
"""


@dataclass(frozen=True)
class Opened:
    """An exported model, opened again by its own runtime.

    Attributes:
        predict: The model as its user would call it.
        input_type: Type of its input, `float32` or `uint8`; values 0..255 either way.
        facts: What else its passport says.
    """

    predict: Predict
    input_type: str = "float32"
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Attributes:
        name: Its key in the registry and on the command line.
        title: Its name as people write it.
        purpose: Where it runs, in a few words.
        file: The file or folder that holds the model.
        write: Writes the model into a folder and opens it again; told where to report.
        sample: Python that opens the model and leaves `probabilities` (K,), given `images` of `READ_PICTURE`.
        packages: Packages that it needs beyond the lab's own, by the names they are imported by.
        rule: When the exported model is refused.
    """

    name: str
    title: str
    purpose: str
    file: str
    write: Callable[[Original, Path, Progress], Opened]
    sample: str
    packages: tuple[str, ...] = ()
    rule: Rule = float_rule

    def missing(self) -> list[str]:
        """Packages that are not installed, by the names they are installed by."""
        return [name.replace("_", "-") for name in self.packages if find_spec(name) is None]

    def refuse_without_packages(self) -> None:
        """Refuse a format that is not installed.

        Raises:
            WbcError: A package is missing; the message names the extra.
        """
        if missing := self.missing():
            raise WbcError(
                f"Export to {self.title} needs {', '.join(missing)}.",
                fix="Install it: `pip install 'wbc-lab[export]'`.",
            )
