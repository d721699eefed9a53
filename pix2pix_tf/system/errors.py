"""Errors for people: one line that names the culprit and says what to do."""


class Pix2PixError(Exception):
    """A failure that the user can mend. Its text is the whole message, without a traceback."""

    exit_status = 1


class UsageError(Pix2PixError):
    """A flag or a value that can't be used."""

    exit_status = 2


class DataError(Pix2PixError):
    """A data folder or an image that can't be used."""


class TrainingError(Pix2PixError):
    """A training whose numbers have become useless."""


class CheckpointError(Pix2PixError):
    """A checkpoint that is missing, does not fit, or can't be written."""
