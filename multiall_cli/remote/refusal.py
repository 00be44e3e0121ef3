"""The error of an operation that declines a request."""


class Refusal(Exception):
    """An operation declines a request: what is wrong, and what to do about it.

    `kind`: "refused", or "overtaken" if another run got ahead.
    """

    def __init__(self, what, todo, kind="refused"):
        Exception.__init__(self, what, todo)
        self.what = what
        self.todo = todo
        self.kind = kind
