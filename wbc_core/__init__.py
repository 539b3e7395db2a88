"""WBC Lab: curate, balance, augment, train and compare classifiers of white-blood-cell images."""

import os

# Read when Arrow is first imported: its own allocator keeps 60 MB of a scan's tables that are gone.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
