"""Accuracies that others published, shown beside ours: they come of other images and are never tested."""

from dataclasses import dataclass

HIDDEN = "hidden test of the challenge: other cells, corrupted"
BLOODMNIST = "BloodMNIST test, 3,421 clean images"


@dataclass(frozen=True)
class Published:
    """One published result.

    Attributes:
        model: What was trained, in the publication's words.
        backbone: Name of the same backbone in our registry; empty where there is none.
        accuracy: On the test, 0..1.
        test: What it was measured on.
        source: Where it was published.
        how: What mattered in training it.
    """

    model: str
    backbone: str
    accuracy: float
    test: str
    source: str
    how: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """Results that belong together."""

    title: str
    rows: tuple[Published, ...]


_REPORT = "the source report"
_MEDMNIST = "github.com/sdoerrich97/rethinking-model-prototyping-MedMNISTPlus"

PUBLISHED = {
    "report": PublishedTable(
        "Source report",
        (
            Published("ConvNeXtBase", "convnext_base", 0.91, HIDDEN, _REPORT),
            Published("DenseNet121", "densenet121", 0.87, HIDDEN, _REPORT),
            Published("MobileNetV3Large", "mobilenet_v3_large", 0.86, HIDDEN, _REPORT),
            Published("Custom CNN", "cnn", 0.40, HIDDEN, _REPORT, "about 40 %"),
        ),
    ),
    "field": PublishedTable(
        "Other teams",
        (
            Published(
                "ConvNeXtXLarge at 224 px",
                "",
                0.969,
                HIDDEN,
                "github.com/Luca-Olivieri/blood_cells_classifier",
                "all layers fine-tuned, Lion, 15 KerasCV layers",
            ),
            Published(
                "EfficientNetV2 S, M and L averaged",
                "",
                0.961,
                HIDDEN,
                "github.com/pontig/AN2DL_challenges",
                "CutMix, MixUp, label smoothing 0.1",
            ),
            Published(
                "EfficientNetB2 at 260 px",
                "",
                0.94,
                HIDDEN,
                "github.com/trama00/ANN-blood-cells",
                "three blocks unfrozen, flips, RandAugment, cutout",
            ),
            Published(
                "CNN of 1.9 M parameters",
                "",
                0.885,
                HIDDEN,
                "github.com/FrancescoPesce/an2dl-homework-1",
                "from scratch, inception-like block",
            ),
        ),
    ),
    "bloodmnist": PublishedTable(
        "BloodMNIST",
        (
            Published("DenseNet121 at 224 px", "densenet121", 0.9902, BLOODMNIST, _MEDMNIST),
            Published("DenseNet121 at 128 px", "densenet121", 0.9890, BLOODMNIST, _MEDMNIST),
            Published("VGG16 at 64 px", "vgg16", 0.9820, BLOODMNIST, _MEDMNIST),
            Published("DenseNet121 at 64 px", "densenet121", 0.9799, BLOODMNIST, _MEDMNIST),
            Published("ResNet18 at 64 px", "", 0.9706, BLOODMNIST, _MEDMNIST),
            Published("EfficientNet-B4 at 64 px", "", 0.906, BLOODMNIST, _MEDMNIST),
        ),
    ),
}
"""Published tables by name. Those of the challenge's teams are as their repositories state them."""
