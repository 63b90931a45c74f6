"""The base of every error that srlib raises on purpose."""


class SRError(Exception):
    """A request to srlib cannot be met; the message is a sentence that says why and what to do.

    Every error class of srlib inherits from this one besides its built-in class, so that
    `except SRError` catches them all and `except ValueError` or `except OSError` still works.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


# Control characters but the tab and the line feed: they would steer a terminal.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
}


def printable(text: object) -> str:
    """Make any text, such as a path, fit to be shown on any page or terminal.

    Bytes that are no UTF-8 and control characters are escaped.
    """
    return str(text).encode("utf-8", "backslashreplace").decode().translate(_CONTROLS)


def sentence(error: Exception) -> str:
    """Make a sentence of an exception, which is never empty and names the file of an OSError."""
    text = str(error).strip()
    if isinstance(error, MemoryError):
        return text or "The picture does not fit into the free memory."
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{printable(error.filename)}: {error.strerror}."
    if isinstance(error, SRError | ValueError | TypeError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text or 'no further explanation'}"


class DataError(SRError, ValueError):
    """A data folder is not what it should be; the message says what to do."""


class ImageError(SRError, ValueError):
    """A picture cannot be read or written. The message is a sentence with the file's name."""
