"""Expressions of SymPy as functions of the coordinates of jets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NamedFunction:
    """A function of some coordinates of jets, whose names are known."""

    names: tuple[str, ...]
    call: Callable[..., Any]


def from_expression(
    argument: str, expression: Any, listed: Sequence[str] = ()
) -> tuple[NamedFunction, list[str]]:
    """An expression as a function of arrays, and the variables its functions depend on.

    Args:
        argument: The name of the argument that holds it.
        expression: In symbols such as `u_t`, or in derivatives of functions.
        listed: Names of symbols that the user lists as variables.
    """
    import sympy
    from sympy.core.function import AppliedUndef

    if isinstance(expression, sympy.Equality):
        expression = expression.lhs - expression.rhs
    if not isinstance(expression, sympy.Expr) or not expression.free_symbols:
        raise ValueError(
            f"`{argument}` must hold expressions of SymPy that are zero, such as `u_t - "
            "u_xx`, or equations between two different sides, such as `sympy.Eq(u_t, "
            f"u_xx)`. Received: {expression} (of type {type(expression).__name__})"
        )
    # Derivatives of products and powers become those of fields.
    expression = expression.doit()
    fields = sorted(expression.atoms(AppliedUndef), key=str)
    variables = _variables_of(argument, fields)
    jets = [*expression.atoms(sympy.Derivative, sympy.Subs), *fields]
    known = set(variables)
    # Derivatives of high order come first, because they contain those of low order.
    for jet in sorted(jets, key=lambda each: -getattr(each, "derivative_count", 0)):
        if jet not in fields and jet.expr not in fields:
            raise ValueError(
                f"`{argument}` must hold derivatives of fields by their variables, such as "
                f"`u.diff(x, 2)`, at the same point. Received: {jet}"
            )
        suffix = "".join(str(v) * int(n) for v, n in getattr(jet, "variable_count", ()))
        base = str((jet.expr if suffix else jet).func)
        name = f"{base}_{suffix}" if suffix else base
        known.add(name)
        expression = expression.subs(jet, sympy.Symbol(name))
    symbols = sorted(expression.free_symbols, key=str)
    names = tuple(map(str, symbols))
    unknown = [each for each in names if each not in (*known, *listed)]
    if variables and unknown:
        raise ValueError(
            f"`{argument}` must hold fields and their variables, {', '.join(variables)}. "
            f"Received: {', '.join(unknown)} besides. Give constants a value by `.subs`, "
            "or list them in `independent` or `dependent`"
        )
    call = sympy.lambdify(symbols, expression, ["scipy", "numpy"])
    return NamedFunction(names, call), variables


def _variables_of(argument: str, fields: Sequence[Any]) -> list[str]:
    """The variables of fields such as `u(t, x)`, which must be the same at every
    occurrence.
    """
    arguments: dict[Any, tuple[Any, ...]] = {}
    for field in fields:
        if not all(each.is_Symbol for each in field.args):
            raise ValueError(
                f"`{argument}` must hold fields at one point, such as u(t, x), and known "
                f"functions of them, such as sin(u(t, x)). Received: {field}. Replace "
                "unknown functions by explicit ones. Delays are not supported"
            )
        if arguments.setdefault(field.func, field.args) != field.args:
            raise ValueError(
                f"`{argument}` must hold each field with the same variables everywhere. "
                f"Received: {field} and {field.func(*arguments[field.func])}"
            )
    return list(dict.fromkeys(str(each) for field in fields for each in field.args))
