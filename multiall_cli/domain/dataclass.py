"""Replacement for the standard library's dataclass that generates methods on first use.

A command loads over a hundred dataclasses and instantiates a third of them. `dataclasses` compiles six methods of each
at import: half a millisecond a class, and a quarter of the time of a short command
(docs/explanation/decisions/0009-dataclasses.md). Here `__init__` is compiled for the first instance, and all classes
share the other methods. The classes behave the same: tests/unit/domain/test_dataclass.py compares them with the
original.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from dataclasses import MISSING, FrozenInstanceError
    from operator import attrgetter, ge, gt, le, lt
    from reprlib import recursive_repr

    _SETTERS = ("__setattr__", "__delattr__")
    _ORDERS = ("__lt__", "__le__", "__gt__", "__ge__")

    def dataclass(*, frozen=False, slots=False, order=False):
        """Return a decorator like `dataclasses.dataclass(frozen=…, slots=…, order=…)`."""
        declare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)

        def declared(written):
            doc, written.__doc__ = written.__doc__, written.__doc__ or "It has none: a signature is not read for it."
            cls = declare(written)
            cls.__doc__ = doc
            _refuse_what_is_not_known(written, cls, frozen, order)
            methods = {"__init__": _Unwritten(cls, frozen, slots), "__repr__": _repr, **_comparison(cls, frozen, order)}
            if frozen:
                methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
            if frozen and slots:
                methods |= {"__getstate__": _state, "__setstate__": _restore}
            for name, method in methods.items():
                # a class's own method stays; Python's own __hash__ = None does not count
                if written.__dict__.get(name) is None:
                    setattr(cls, name, method)
            return cls

        return declared

    def _refuse_what_is_not_known(written, cls, frozen, order):
        """Raise TypeError for unsupported fields and, like the original, for methods that a class may not have."""
        for each in cls.__dataclass_fields__.values():
            if each.kw_only is True or each._field_type is dataclasses._FIELD_INITVAR:
                raise TypeError(f"{each.name!r} is keyword-only or an InitVar, which this dataclass does not know")
        own = [*(_SETTERS if frozen else ()), *(_ORDERS if order else ())]
        name = next((each for each in own if each in written.__dict__), None)
        if name is not None:
            why = ". Consider using functools.total_ordering" if name in _ORDERS else ""
            raise TypeError(f"Cannot overwrite attribute {name} in class {cls.__name__}{why}")

    class _Factory:
        """Placeholder for a default that is made for each instance."""

        def __repr__(self):
            return "<factory>"

    class _Unwritten:
        """Placeholder for `__init__` that generates it, and is replaced by it, on first access."""

        __slots__ = ("cls", "frozen", "slots")

        def __init__(self, cls, frozen, slots):
            self.cls, self.frozen, self.slots = cls, frozen, slots

        def __get__(self, instance, owner=None):
            written = self.cls.__init__ = _init(self.cls, self.frozen, self.slots)
            return written.__get__(instance, owner)

    def _init(cls, frozen, slots):
        """Return the `__init__` that `dataclasses` would write.

        A slot's own setter is the fastest way past a frozen class.
        """
        known = {"_unset": _Factory(), "_set": object.__setattr__}
        taken, body = [], []
        for each in dataclasses.fields(cls):
            name = each.name
            if frozen and slots:
                known[f"_set_{name}"] = getattr(cls, name).__set__
                keep = f"_set_{name}(self, {{}})"
            else:
                keep = f"_set(self, {name!r}, {{}})" if frozen else f"self.{name} = {{}}"
            known[f"_default_{name}"], known[f"_make_{name}"] = each.default, each.default_factory
            default, value = "", name if each.init else f"_default_{name}"
            if each.default is not MISSING:
                default = f"=_default_{name}"
            elif each.default_factory is not MISSING:
                default = "=_unset"
                value = f"_make_{name}() if {name} is _unset else {name}" if each.init else f"_make_{name}()"
            if each.init:
                taken.append(f"{name}{default}")
            if each.init or default:
                body.append(keep.format(value))
        if hasattr(cls, "__post_init__"):
            body.append("self.__post_init__()")
        text = f"def __init__({', '.join(['self', *taken])}):\n {'; '.join(body) or 'pass'}"
        exec(text, known)  # noqa: S102 - of names of fields alone
        init = known["__init__"]
        init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
        init.__annotations__ = {each.name: each.type for each in dataclasses.fields(cls) if each.init} | {
            "return": None
        }
        return init

    @recursive_repr()
    def _repr(self):
        shown = (each.name for each in dataclasses.fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def _comparison(cls, frozen, order):
        of = _values([each.name for each in dataclasses.fields(cls) if each.compare])

        def equal(self, other):
            return of(self) == of(other) if other.__class__ is self.__class__ else NotImplemented

        def hashed(self):
            return hash(of(self))

        def ordered(compare):
            return lambda self, other: (
                compare(of(self), of(other)) if other.__class__ is self.__class__ else NotImplemented
            )

        orders = {f"__{compare.__name__}__": ordered(compare) for compare in (lt, le, gt, ge)} if order else {}
        return {"__eq__": equal, "__hash__": hashed if frozen else None, **orders}

    def _values(names):
        """Return a getter of these fields as a tuple, even of one: within a tuple an object always equals itself."""
        if len(names) > 1:
            return attrgetter(*names)
        only = attrgetter(*names) if names else None
        return (lambda self: (only(self),)) if names else lambda _: ()

    def _refuse_to_set(self, name, value):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _refuse_to_delete(self, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _state(self):
        return [getattr(self, each.name) for each in dataclasses.fields(self)]

    def _restore(self, state):
        for each, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, each.name, value)
