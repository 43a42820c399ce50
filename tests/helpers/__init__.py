"""Samples, servers and checks that several tests share."""
