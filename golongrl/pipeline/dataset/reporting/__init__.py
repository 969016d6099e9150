"""Facts of a build, and the card and report page that show them."""
