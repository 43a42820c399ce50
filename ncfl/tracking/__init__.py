"""What is remembered of each step: its run, written as it goes, and brought to MLflow."""
