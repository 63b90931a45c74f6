"""The base of every error that srlib raises on purpose."""


class SRError(Exception):
    """A request to srlib cannot be met; the message is a sentence that says why and what to do.

    Every error class of srlib inherits from this one besides its built-in class, so that
    `except SRError` catches them all and `except ValueError` or `except OSError` still works.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: object) -> str:
    """A text such as a path with the bytes escaped that are no UTF-8, which no page could show."""
    return str(text).encode("utf-8", "backslashreplace").decode()


class DataError(SRError, ValueError):
    """A data folder is not what it should be; the message says what to do."""


class ImageError(SRError, ValueError):
    """A picture cannot be read or written. The message is a sentence with the file's name."""
