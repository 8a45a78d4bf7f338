"""From packets to numbers: summaries, and the three indicators of the guide."""
