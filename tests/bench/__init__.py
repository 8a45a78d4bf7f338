"""How fast captures are analysed, measured beside what a user would otherwise take."""
