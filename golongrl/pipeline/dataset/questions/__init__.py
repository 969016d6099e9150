"""Questions with their gold answers, put into contexts of a wanted length."""
