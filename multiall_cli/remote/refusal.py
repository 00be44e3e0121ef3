"""The answer of an operation that declines a request."""


class Refusal(Exception):
    """An operation will not do what is asked: what happened, and what the admin can do.

    `kind`: "refused", or "overtaken" where another run has what this one wants.
    """

    def __init__(self, what, todo, kind="refused"):
        Exception.__init__(self, what, todo)
        self.what = what
        self.todo = todo
        self.kind = kind
