"""The MLflow mirror of the workspace's runs: a copy for people who compare there, never the truth."""
