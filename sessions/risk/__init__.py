"""Risk: limits, the book they are held against, the one gate before an order, and the kill switch."""
