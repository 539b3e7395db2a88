"""Models that leave the lab, each checked in its own runtime, and the card that goes with them."""
