"""Questions that models write about the documents of the library."""
