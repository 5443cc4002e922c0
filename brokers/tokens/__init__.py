"""Login flows, and the token stores that keep each login's credential fresh in every live stream."""
