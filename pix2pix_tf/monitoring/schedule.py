"""The steps of a run: where it starts and ends, and what is due when."""

import typing


class Schedule(typing.NamedTuple):
    """The steps of one run."""

    first_step: int  # the step of the checkpoint it resumes from, or 0
    last_step: int
    steps_per_epoch: int

    def is_due(self, freq: int, step: int) -> bool:
        """Whether something is due after `step` that comes every `freq` steps and at the end.

        A `freq` of 0 means never.
        """
        return freq > 0 and (step % freq == 0 or step == self.last_step)
