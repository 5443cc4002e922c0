"""Why something cannot be rehearsed."""


class NotRehearsable(ValueError):
    """What was asked for cannot be rehearsed; the sentence says why and what to do."""
