"""Augmentation of the train part: operations, recipes, preview, and the prepared set on disk."""
