"""A project with a database, for every test of tracking."""

from helpers.tracking_samples import deferred, empty_database, project  # noqa: F401
