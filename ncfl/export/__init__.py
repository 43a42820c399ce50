"""A trained network as a file for other programs, and such a file as a method of this one."""
