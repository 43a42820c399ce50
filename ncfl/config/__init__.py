"""What people set: ``params.yaml``, its schema and its errors, and where every file lies."""
