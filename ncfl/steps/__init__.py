"""The verbs of the command line as functions: each binds ``params.yaml`` to one step, and tracks its run."""
