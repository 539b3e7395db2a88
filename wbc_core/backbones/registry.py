"""Every backbone that can be trained; a new one is a file beside this one and a line here."""

from wbc_core.backbones.cnn import CNN
from wbc_core.backbones.efficientnet_lite import EFFICIENTNET_LITE0, EFFICIENTNET_LITE2
from wbc_core.backbones.entry import Backbone
from wbc_core.backbones.keras_applications import KERAS_APPLICATIONS
from wbc_core.backbones.wbcnet import WBCNET
from wbc_core.registry import Registry

BACKBONES = Registry[Backbone]("backbone")

for _backbone in (CNN, WBCNET, EFFICIENTNET_LITE0, EFFICIENTNET_LITE2, *KERAS_APPLICATIONS):
    BACKBONES.add(_backbone.name, _backbone)
