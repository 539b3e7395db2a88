"""WBC Lab: curate, balance, augment, train and compare classifiers of white-blood-cell images."""
