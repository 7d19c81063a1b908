"""Two models compared as laws, by samples of both, where no draw is shared."""
