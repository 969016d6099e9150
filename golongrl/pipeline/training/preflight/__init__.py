"""Everything that is checked before a run starts: data, settings, versions, hardware, the output folder."""
