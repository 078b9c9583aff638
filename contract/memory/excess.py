"""The error for an edit that needs more memory than its budget."""


class ExcessError(Exception):
    """The predicted peak of an edit exceeds its budget, both in bytes above the weights."""

    def __init__(self, *, predicted: int, budget: int) -> None:
        self.predicted = predicted
        self.budget = budget
        super().__init__(
            f"the edit takes {predicted} bytes, the budget is {budget}: fewer neurons "
            "(adaptive_threshold, max_neurons) or prompts may fit"
        )
