"""Two or more runs beside each other: is the one better, by how much, and what could have been seen at all."""
