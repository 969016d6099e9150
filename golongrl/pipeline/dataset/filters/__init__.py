"""Filters of phase 1: `boilerplate.strip` takes away what frames a document, `language.detect` and `quality.fault`
say what cannot be used and why."""
