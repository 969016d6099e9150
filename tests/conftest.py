"""Puts this folder on the import path, for servers that several test folders start; no test fails for being slow."""

from hypothesis import HealthCheck, settings

settings.register_profile("golongrl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("golongrl")
