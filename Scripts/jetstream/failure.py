"""What ends a command: one line that says what is wrong and what to do."""

BAD_USE = 64


class Failure(Exception):
    def __init__(self, message, status=1):
        super().__init__(message)
        self.status = status


def misuse(message):
    return Failure(message, BAD_USE)
