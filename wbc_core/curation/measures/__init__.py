"""Every measure that checks read. A new one is a file and a line here."""

from wbc_core.curation.measures.appearance import APPEARANCE
from wbc_core.curation.measures.base import Measure
from wbc_core.curation.measures.blocks import BLOCKS
from wbc_core.curation.measures.colour import COLOUR
from wbc_core.curation.measures.features import FEATURES
from wbc_core.curation.measures.thumbnails import THUMBNAILS
from wbc_core.curation.measures.tone import TONE
from wbc_core.registry import Registry

MEASURES: Registry[Measure] = Registry("measure")
for _measure in (TONE, COLOUR, BLOCKS, APPEARANCE, FEATURES, THUMBNAILS):
    MEASURES.add(_measure.name, _measure)
