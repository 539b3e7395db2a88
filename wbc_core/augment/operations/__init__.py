"""The augmentation operations, by name; a new one is a file here and a line below."""

from wbc_core.augment.operations import auto_contrast, random_cutout, random_saturation, solarization
from wbc_core.augment.operations.kinds import Drawn, Images, OperationType, Parameter
from wbc_core.registry import Registry

OPERATIONS: Registry[OperationType] = Registry("operation")
for _module in (auto_contrast, random_saturation, solarization, random_cutout):
    OPERATIONS.add(_module.OPERATION.name, _module.OPERATION)

__all__ = ["OPERATIONS", "Drawn", "Images", "OperationType", "Parameter"]
