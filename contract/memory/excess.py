"""That more memory is needed than there is."""


class ExcessError(Exception):
    """What has become known of an edit takes more than it may; bytes are above the weights."""

    def __init__(self, *, predicted: int, budget: int) -> None:
        self.predicted = predicted
        self.budget = budget
        super().__init__(
            f"the edit takes {predicted} bytes, the budget is {budget}: fewer neurons "
            "(adaptive_threshold, max_neurons) or prompts may fit"
        )
