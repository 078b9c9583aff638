"""What may be wrong with facts."""


class FactsError(Exception):
    """Root of what may be wrong with facts.

    FactsError
    ├── UnreadableFactsError
    └── UnusableFactError
    """


class UnreadableFactsError(FactsError):
    """The file as a whole holds no facts."""


class UnusableFactError(FactsError):
    """A record cannot be made a request."""
