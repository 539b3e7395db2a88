"""Every format that a model can leave in; a new one is a file beside this one and a line here."""

from wbc_core.export.entry import ExportFormat
from wbc_core.export.keras_file import KERAS
from wbc_core.export.litert import LITERT, LITERT_INT8
from wbc_core.export.onnx_file import ONNX
from wbc_core.export.saved_model import SAVED_MODEL
from wbc_core.registry import Registry

FORMATS = Registry[ExportFormat]("export format")

for _format in (KERAS, SAVED_MODEL, ONNX, LITERT, LITERT_INT8):
    FORMATS.add(_format.name, _format)
