"""Puts this folder on the import path, for servers that several test folders start."""
