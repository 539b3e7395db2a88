"""Mixes of two images and their labels, by name, for the online stage; a new one is a file and a line."""

from wbc_core.augment.mixes import cut_mix, fourier_mix, mix_up
from wbc_core.augment.operations.kinds import MixType
from wbc_core.registry import Registry

MIXES: Registry[MixType] = Registry("mix")
for _mix in (mix_up.MIX, cut_mix.MIX, fourier_mix.MIX):
    MIXES.add(_mix.name, _mix)

__all__ = ["MIXES", "MixType"]
