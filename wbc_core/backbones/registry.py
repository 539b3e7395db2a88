"""Every backbone that can be trained; a new one is a file beside this one and a line here."""

from wbc_core.backbones.cnn import CNN
from wbc_core.backbones.efficientnet_lite import EFFICIENTNET_LITE0, EFFICIENTNET_LITE2
from wbc_core.backbones.entry import Backbone
from wbc_core.backbones.mobilenet_v3 import MOBILENET_V3_SMALL
from wbc_core.registry import Registry

BACKBONES = Registry[Backbone]("backbone")

for _backbone in (CNN, MOBILENET_V3_SMALL, EFFICIENTNET_LITE0, EFFICIENTNET_LITE2):
    BACKBONES.add(_backbone.name, _backbone)
