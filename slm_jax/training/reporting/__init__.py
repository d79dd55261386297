"""What a run says of itself: rows of metrics on its way, profiles, and the summary at its end."""
