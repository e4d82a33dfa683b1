"""All public names, with right arguments and the kind of each argument.

A case puts one value that may be wrong into a row. A kind says which values it may accept;
any other has to be refused. Results (reports, costs) are made by the package and have no
row. `tests/fuzz/test_fuzz.py` holds the table to be complete.
"""

import dataclasses
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np

import keras_lconv as k
from keras_lconv import (
    algebra,
    callbacks,
    convert,
    datasets,
    discovery,
    distribution,
    estimators,
    initializers,
    losses,
    metrics,
    models,
    physics,
    regularizers,
    visualization,
)
from keras_lconv import (
    generators as g,
)
from keras_lconv.algebra import so


def is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value):
    if isinstance(value, bool):
        return False
    is_scalar = isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind == "f"
    return (isinstance(value, Real) or is_scalar) and bool(np.isfinite(value))


def is_array(value):
    try:
        array = np.asarray(value)
        return array.dtype.kind in "biuf" and bool(np.all(np.isfinite(array)))
    except ValueError:
        return False


def whole(least=1):
    return lambda value: is_whole(value) and value >= least


def each(kind):
    """One value of a kind, or one for each axis."""
    return lambda value: (
        kind(value)
        or (isinstance(value, (list, tuple)) and len(value) > 0 and all(map(kind, value)))
    )


def any_number_of(kind):
    """As `each`, or none at all."""
    return lambda value: (
        each(kind)(value) or (isinstance(value, (list, tuple)) and not value)
    )


def each_of(kind):
    """As `each`, or an array."""
    return lambda value: (
        each(kind)(value)
        or (isinstance(value, np.ndarray) and value.size > 0 and all(map(kind, value.flat)))
    )


def optional(kind):
    return lambda value: value is None or kind(value)


def one_of(*names):
    return lambda value: value is None or (isinstance(value, str) and value in names)


def flag(value):
    return isinstance(value, (bool, np.bool_))


def progress(value):
    """Keras' 0, 1 and 2 too."""
    return value is None or flag(value) or (type(value) is int and 0 <= value <= 2)


def number(value):
    return is_number(value)


def positive(value):
    return is_number(value) and value > 0


def not_negative(value):
    return is_number(value) and value >= 0


def anything(_):
    """Of Keras' own arguments, and what is an object of any type."""
    return True


def generators(value):
    """Numbers, names, arrays, algebras and layers."""
    return is_whole(value) or (
        value is not None and not isinstance(value, (bool, float, complex, dict))
    )


def names(value):
    """A list of names of variables."""
    return isinstance(value, (list, tuple)) and all(isinstance(n, str) for n in value)


def matrices(value):
    return hasattr(value, "basis") or is_array(value)


def group(value):
    """Names, matrices and objects: a name that there is not is refused by the group."""
    return (isinstance(value, str) and value in ("c4", "so2")) or hasattr(value, "standard")


DATA_FORMAT = one_of("channels_last", "channels_first")
LEARNED = {"rank": optional(each(whole()))}
FLAGS = {"trainable": flag}
KERNEL = {
    "use_bias": flag,
    "activation": anything,
    "kernel_initializer": anything,
    "bias_initializer": anything,
    "kernel_regularizer": anything,
    "bias_regularizer": anything,
    "activity_regularizer": anything,
    "kernel_constraint": anything,
    "bias_constraint": anything,
}
FORM = {"form": optional(matrices), "tolerance": optional(not_negative)}
FIELD = {"derivative": one_of("spectral", "fourier", "central"), **FLAGS}
NDIM = {"ndim": whole(), **FIELD}
REPORT_KIND = one_of("invariance", "equivariance")

IMAGE = (2, 5, 5, 2)
FIELDS = (2, 5, 5, 4, 2)
VECTORS = (2, 3, 2)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@dataclasses.dataclass(frozen=True)
class Row:
    """A public name: right arguments, the kinds of all, and what is done with the result.

    Arguments in `kinds` that are not in `arguments` are left out unless they are tried.
    """

    make: Callable[..., Any]
    arguments: dict[str, Any]
    kinds: dict[str, Callable[[Any], bool]]
    use: Callable[[Any], Any] = lambda result: result


def layer(make, arguments, kinds, *shapes):
    """A row whose result is called on arrays of these shapes."""

    def use(made):
        arrays = [random(*shape) for shape in shapes]
        return made(arrays if len(arrays) > 1 else arrays[0])

    return Row(make, arguments, {"data_format": DATA_FORMAT, **kinds}, use)


def family(make, arguments, kinds, shape):
    return Row(make, arguments, {**FLAGS, **kinds}, lambda made: made(random(*shape)))


def of_size(make, **kinds):
    """Algebras and groups of a size."""
    return Row(make, {"n": 3}, {"n": whole(), **kinds})


def squares(x):
    return keras.ops.sum(keras.ops.square(x), axis=-1, keepdims=True)


def energy(z):
    return 0.5 * keras.ops.sum(keras.ops.square(z), axis=-1)


def first(z):
    return z


def points(count=60, size=3):
    return random(count, size)


# What a search finds in the sum of squares of three columns.
ROTATIONS_FOUND = discovery.find_symmetries(
    lambda x: keras.ops.sum(x**2, axis=1), points(40)
)


def dense():
    made = keras.layers.Dense(4)
    made.build((None, 3))
    return made


def convolution():
    made = keras.layers.Conv2D(2, 3, padding="same")
    made.build((None, 4, 4, 2))
    return made


def built(made, *shape):
    made.build((None, *shape))
    return made


def paths():
    t = np.linspace(0, 6, 80)
    circles = [
        np.stack([r * np.cos(t + s), -r * np.sin(t + s)], axis=1)
        for r, s in ((1, 0), (2, 1), (0.5, 2))
    ]
    return np.array(circles)


def smooth_images():
    """Pixels with their neighbours in them."""
    noise = random(300, 8, 8)
    return (noise[:, 1:-1, 1:-1] * 2 + noise[:, 2:, 1:-1] + noise[:, 1:-1, 2:]).reshape(
        300, -1
    )


def turned(x):
    return x + 0.1 * x @ so(3).basis[0]


TURNS = [[0.1, 0.2, 0.3]]
SWAP = np.roll(np.eye(3), 1, axis=0)
LAYERS = {
    "keras_lconv.ActionRegularization": layer(
        k.ActionRegularization,
        {"generators": "translation"},
        {
            "generators": generators,
            "weight": not_negative,
            "mass": not_negative,
            "form": lambda v: v is None or v == "learned" or is_array(v),
        },
        IMAGE,
    ),
    "keras_lconv.CasimirPooling": layer(
        k.CasimirPooling,
        {"generators": "rotation", "tau": 0.05},
        {
            "generators": generators,
            "tau": positive,
            "strides": each(whole()),
            "trainable_tau": flag,
            "max_tau": optional(positive),
            "form": optional(matrices),
        },
        IMAGE,
    ),
    "keras_lconv.ClusterPooling": layer(
        k.ClusterPooling,
        {"generators": g.graph(np.ones((6, 6))), "clusters": [0, 0, 1, 1, 2, 2]},
        {"generators": generators, "clusters": is_array, "defect_weight": not_negative},
        (2, 6, 2),
    ),
    "keras_lconv.EquivariantDense": layer(
        k.EquivariantDense,
        {"units": 2, "generators_in": so(3)},
        {
            "units": whole(),
            "generators_in": generators,
            "generators_out": optional(generators),
            "output_dim": optional(each(whole())),
            "tolerance": optional(not_negative),
            **KERNEL,
        },
        VECTORS,
    ),
    "keras_lconv.FieldDropout": layer(
        k.FieldDropout,
        {"rate": 0.5, "group": "c4", "representation": "regular"},
        {
            "rate": lambda v: is_number(v) and 0 <= v < 1,
            "group": group,
            "kind": one_of("position", "channel"),
            "seed": optional(whole(0)),
        },
        FIELDS,
    ),
    "keras_lconv.FieldNormalization": layer(
        k.FieldNormalization,
        {"group": "c4", "representation": "regular"},
        {
            "group": group,
            "kind": one_of("batch", "layer"),
            "momentum": lambda v: is_number(v) and 0 <= v < 1,
            "epsilon": positive,
            "center": flag,
            "scale": flag,
        },
        FIELDS,
    ),
    "keras_lconv.FourierActivation": layer(
        k.FourierActivation,
        {"group": "so2", "degree": 2},
        {"degree": whole(0), "num_samples": optional(whole())},
        (2, 5, 5, 5, 2),
    ),
    "keras_lconv.GroupLift": layer(
        k.GroupLift,
        {"filters": 2, "generators": "sim2", "num_samples": (4, 2)},
        {
            "filters": whole(),
            "generators": generators,
            "num_samples": each(whole()),
            "order": whole(0),
            "scale": positive,
            "strides": whole(),
            **KERNEL,
        },
        IMAGE,
    ),
    "keras_lconv.GroupProjection": layer(
        k.GroupProjection,
        {"num_coordinates": 2},
        {"num_coordinates": whole(), "reduction": one_of("max", "average")},
        (2, 4, 2, 5, 5, 2),
    ),
    "keras_lconv.GroupPooling": layer(
        k.GroupPooling,
        {"group": "c4", "representation": "regular"},
        {
            "group": group,
            "reduction": one_of("max", "average", "norm"),
            "positions": one_of("max", "average"),
        },
        FIELDS,
    ),
    "keras_lconv.FibreNorm": layer(
        k.FibreNorm,
        {"generators": so(3)},
        {
            "generators": generators,
            "kind": one_of("length", "square"),
            "epsilon": positive,
            "defect_weight": not_negative,
            **FORM,
        },
        VECTORS,
    ),
    "keras_lconv.GatedActivation": layer(
        k.GatedActivation, {}, {"activation": anything}, VECTORS, (2, 2)
    ),
    "keras_lconv.GradientNorm": layer(
        k.GradientNorm,
        {"generators": "translation"},
        {
            "generators": generators,
            "kind": one_of("length", "square"),
            "epsilon": positive,
            **FORM,
        },
        IMAGE,
    ),
    "keras_lconv.InvariantPooling": layer(
        k.InvariantPooling,
        {"generators": "rotation"},
        {
            "generators": generators,
            "kind": one_of("spectrum", "linear"),
            "num_invariants": optional(whole()),
            "refine": lambda v: v is None or isinstance(v, (str, list, tuple, np.ndarray)),
            "elements": lambda v: (
                v is None or isinstance(v, (str, list, tuple, np.ndarray))
            ),
            "method": one_of("matrix", "rings"),
            "keepdims": flag,
            "tolerance": positive,
        },
        IMAGE,
    ),
    "keras_lconv.LConv": layer(
        k.LConv,
        {"filters": 2, "generators": 2},
        {
            "filters": whole(),
            "generators": generators,
            "order": whole(),
            "smoothing": lambda v: each(positive)(v) or one_of("learned")(v),
            "num_steps": whole(),
            "self_interaction": one_of("learned", "identity"),
            "contraction": one_of(
                "auto", "generators_first", "channels_first", "precombined"
            ),
            **LEARNED,
            **KERNEL,
        },
        IMAGE,
    ),
    "keras_lconv.LearnedPooling": layer(
        k.LearnedPooling,
        {"generators": 1, "output_dim": 3},
        {
            "generators": generators,
            "output_dim": each(whole()),
            "defect_weight": not_negative,
            "initializer": anything,
            "regularizer": anything,
            **LEARNED,
        },
        VECTORS,
    ),
    "keras_lconv.LieBlock": layer(
        k.LieBlock,
        {"filters": 2, "generators": 2, "num_layers": 2},
        {
            "filters": whole(),
            "generators": generators,
            "num_layers": whole(),
            "trainable": flag,
            **LEARNED,
            **KERNEL,
        },
        IMAGE,
    ),
    "keras_lconv.LieExponential": layer(
        k.LieExponential,
        {"filters": 2, "generators": 2, "num_elements": 2},
        {
            "filters": whole(),
            "generators": generators,
            "num_elements": whole(),
            "max_parameter": positive,
            **LEARNED,
            **KERNEL,
        },
        VECTORS,
    ),
    "keras_lconv.LieMaxPooling": layer(
        k.LieMaxPooling,
        {"generators": g.ShiftGenerators([(0, 1), (1, 0)])},
        {"generators": generators, "hops": whole()},
        IMAGE,
    ),
    "keras_lconv.NormActivation": layer(
        k.NormActivation,
        {"generators": so(3)},
        {
            "generators": generators,
            "use_bias": flag,
            "epsilon": positive,
            "defect_weight": not_negative,
            "activation": anything,
            **FORM,
        },
        VECTORS,
    ),
    "keras_lconv.NormMaxPooling": layer(
        k.NormMaxPooling,
        {"generators": so(3)},
        {
            "generators": generators,
            "pool_size": each(whole()),
            "strides": optional(each(whole())),
            "padding": one_of("valid", "same"),
            "defect_weight": not_negative,
            **FORM,
        },
        (2, 4, 4, 3, 2),
    ),
    "keras_lconv.OrbitPooling": layer(
        k.OrbitPooling,
        {"generators": so(2), "max_parameter": 1.0},
        {
            "generators": generators,
            "reduction": one_of("max", "average", "logsumexp"),
            "num_samples": each_of(whole()),
            "max_parameter": each_of(positive),
        },
        (2, 2, 2),
    ),
    "keras_lconv.Rearrange": layer(
        k.Rearrange,
        {"order": [2, 0, 1]},
        {"order": is_array, "output_dim": optional(each(whole()))},
        VECTORS,
    ),
    "keras_lconv.SE2Lift": layer(
        k.SE2Lift,
        {"filters": 2, "num_orientations": 4},
        {
            "filters": whole(),
            "num_orientations": whole(),
            "reflections": flag,
            "order": whole(0),
            "scale": positive,
            "strides": whole(),
            "derivative": FIELD["derivative"],
            **KERNEL,
        },
        IMAGE,
    ),
    "keras_lconv.SE2Projection": layer(
        k.SE2Projection, {}, {"reduction": one_of("max", "average")}, (2, 4, 5, 5, 2)
    ),
    "keras_lconv.SteerableConv": layer(
        k.SteerableConv,
        {"filters": 2, "kernel_size": 3, "group": "c4", "representation_out": "regular"},
        {
            "filters": whole(),
            "kernel_size": each(whole()),
            "group": group,
            "strides": each(whole()),
            "padding": one_of("same", "valid"),
            "dilation_rate": each(whole()),
            "groups": whole(),
            **KERNEL,
        },
        IMAGE,
    ),
    "keras_lconv.SteerablePool": layer(
        k.SteerablePool,
        {"group": "c4", "representation": "regular"},
        {
            "group": group,
            "strides": whole(),
            "reduction": one_of("blur", "average", "max"),
        },
        FIELDS,
    ),
    "keras_lconv.SteerableUpSampling": layer(
        k.SteerableUpSampling,
        {"group": "c4", "representation": "regular"},
        {
            "group": group,
            "size": whole(),
            "interpolation": one_of("linear", "nearest"),
        },
        FIELDS,
    ),
    "keras_lconv.StridedPooling": layer(
        k.StridedPooling,
        {"generators": "rotation"},
        {
            "generators": generators,
            "strides": each(whole()),
            "reduction": one_of("subsample", "average"),
            "defect_weight": not_negative,
        },
        IMAGE,
    ),
    "keras_lconv.PointConv": layer(
        k.PointConv,
        {"filters": 2, "group": "so3", "degree": 1, "hidden_units": (4,)},
        {
            "filters": whole(),
            "group": lambda v: hasattr(v, "standard"),
            "num_neighbors": optional(whole()),
            "radius": optional(positive),
            "degree": whole(0),
            "hidden_units": each_of(whole()),
            "aggregation": one_of("sum", "average", "attention"),
            "relative": flag,
            **KERNEL,
        },
        (2, 4, 1),
        (2, 4, 3),
    ),
    "keras_lconv.PointPooling": layer(
        k.PointPooling,
        {},
        {"reduction": one_of("sum", "average", "max")},
        (2, 4, 3),
    ),
    "keras_lconv.TensorProduct": layer(k.TensorProduct, {}, {}, VECTORS, VECTORS),
}

GENERATORS = {
    "keras_lconv.generators.DenseGenerators": family(
        g.DenseGenerators,
        {"num": 2},
        {
            "num": whole(),
            "output_dim": optional(each(whole())),
            "initializer": anything,
            "regularizer": anything,
            "constraint": anything,
        },
        VECTORS,
    ),
    "keras_lconv.generators.LeftInvariantGenerators": family(
        g.LeftInvariantGenerators,
        {"algebra": np.array([np.eye(2)]), "steps": 0.3},
        {"algebra": matrices, "steps": optional(each_of(optional(positive))), **FIELD},
        (2, 3, 5, 5, 2),
    ),
    "keras_lconv.generators.LowRankGenerators": family(
        g.LowRankGenerators,
        {"num": 2, "rank": 2},
        {
            "num": whole(),
            "rank": each(whole()),
            "output_dim": optional(each(whole())),
            "initializer": anything,
        },
        VECTORS,
    ),
    "keras_lconv.generators.MatrixGenerators": family(
        g.MatrixGenerators,
        {"matrices": so(3)},
        {"matrices": matrices, "output_dim": optional(each(whole()))},
        VECTORS,
    ),
    "keras_lconv.generators.NeighborGenerators": family(
        g.NeighborGenerators,
        {"num": 1, "neighbors": g.grid_neighbors((5, 5))},
        {"num": whole(), "neighbors": is_array, "values": optional(is_array)},
        IMAGE,
    ),
    "keras_lconv.generators.SE2Generators": family(
        g.SE2Generators, {}, {**FIELD, "reflections": flag}, (2, 4, 5, 5, 2)
    ),
    "keras_lconv.generators.ShiftGenerators": family(
        g.ShiftGenerators,
        {"offsets": [(0, 1), (1, 0)]},
        {
            "offsets": is_array,
            "boundary": one_of("zero", "periodic", "valid"),
            "strides": each(whole()),
        },
        IMAGE,
    ),
    "keras_lconv.generators.VectorFieldGenerators": family(
        g.VectorFieldGenerators,
        {"num": 2},
        {
            "num": whole(),
            "field": one_of("linear", "affine", "quadratic", "free"),
            "coefficients": optional(is_array),
            **FIELD,
        },
        IMAGE,
    ),
    "keras_lconv.generators.Generators": Row(
        g.Generators, {"num_generators": 2}, {"num_generators": whole(), **FLAGS}
    ),
    **{
        f"keras_lconv.generators.{name}": family(getattr(g, name), {}, NDIM, IMAGE)
        for name in ("affine", "rotation", "scaling", "shear", "translation")
    },
    "keras_lconv.generators.graph": family(
        g.graph,
        {"adjacency": np.ones((3, 3))},
        {"adjacency": is_array, "kind": lambda v: isinstance(v, str)},
        VECTORS,
    ),
    "keras_lconv.generators.chebyshev_graph": family(
        g.chebyshev_graph,
        {"adjacency": np.ones((3, 3)), "degree": 2},
        {"adjacency": is_array, "degree": whole(), "largest_eigenvalue": positive},
        VECTORS,
    ),
    "keras_lconv.generators.derivative_matrix": Row(
        g.derivative_matrix, {"size": 4}, {"size": whole(), "kind": FIELD["derivative"]}
    ),
    "keras_lconv.generators.grid_neighbors": Row(
        g.grid_neighbors,
        {"shape": (4, 4)},
        {
            "shape": each(whole()),
            "size": each(whole()),
            "boundary": one_of("zero", "periodic"),
        },
    ),
    "keras_lconv.generators.get": Row(
        g.get, {"identifier": 2}, {"identifier": generators, **LEARNED}
    ),
}

ALGEBRA = {
    **{
        f"keras_lconv.algebra.{name}": of_size(getattr(algebra, name))
        for name in (
            *("E", "GL", "SL", "SU", "U", "abelian", "aff", "alternating", "cyclic"),
            *("cyclic_shifts", "dihedral", "gl", "heisenberg", "se", "sim", "sl"),
            "symmetric",
        )
    },
    **{
        f"keras_lconv.algebra.{name}": Row(getattr(algebra, name), {"n": 2}, {"n": whole()})
        for name in ("Sp", "sp")
    },
    **{
        f"keras_lconv.algebra.{name}": Row(
            getattr(algebra, name), {"p": 3}, {"p": whole(0), "q": whole(0)}
        )
        for name in ("SO", "so", "su")
    },
    "keras_lconv.algebra.O": Row(
        algebra.O,
        {"p": 3},
        {"p": whole(0), "q": whole(0), "parity": flag, "time_reversal": flag},
    ),
    "keras_lconv.algebra.LieAlgebra": Row(
        algebra.LieAlgebra,
        {"basis": so(3).basis},
        {"basis": matrices, "tolerance": optional(not_negative)},
    ),
    "keras_lconv.algebra.VectorFields": Row(
        algebra.VectorFields,
        {"powers": [[0], [1], [2]], "coefficients": np.eye(3)[:, None]},
        {"powers": is_array, "coefficients": is_array},
    ),
    "keras_lconv.algebra.MatrixGroup": Row(
        algebra.MatrixGroup,
        {"elements": [SWAP]},
        {"algebra": optional(matrices), "elements": is_array, "name": anything},
    ),
    "keras_lconv.algebra.Representation": Row(
        algebra.Representation,
        {"group": algebra.SO(3), "generators": so(3).basis},
        {"generators": matrices, "elements": is_array, "group": anything},
    ),
    "keras_lconv.algebra.bianchi": Row(
        algebra.bianchi,
        {"kind": "VI_h", "h": -0.5},
        {"kind": lambda v: isinstance(v, str), "h": optional(number)},
    ),
    "keras_lconv.algebra.polyhedral": Row(
        algebra.polyhedral,
        {"solid": "cube"},
        {"solid": lambda v: isinstance(v, str), "inversion": flag},
    ),
    "keras_lconv.algebra.align": Row(
        algebra.align,
        {"a": so(3).basis, "b": so(3).basis},
        {"a": matrices, "b": matrices, "tolerance": not_negative},
    ),
    "keras_lconv.algebra.closest": Row(
        algebra.closest,
        {"a": so(3).basis, "candidates": so(3).basis},
        {"a": matrices, "candidates": matrices},
    ),
    "keras_lconv.algebra.correlation": Row(
        algebra.correlation,
        {"a": so(3).basis[0], "b": so(3).basis[1]},
        {"a": matrices, "b": matrices},
    ),
    "keras_lconv.algebra.principal_angles": Row(
        algebra.principal_angles,
        {"a": so(3).basis, "b": so(3).basis},
        {"a": matrices, "b": matrices},
    ),
    "keras_lconv.algebra.dual": Row(
        algebra.dual, {"representation": so(3).basis}, {"representation": matrices}
    ),
    "keras_lconv.algebra.realify": Row(
        algebra.realify,
        {"matrices": 1j * so(3).basis},
        {"matrices": lambda v: matrices(v) or np.asarray(v).dtype.kind == "c"},
    ),
    "keras_lconv.algebra.trivial": Row(
        algebra.trivial,
        {"num_generators": 3},
        {"num_generators": whole(), "size": whole()},
    ),
    "keras_lconv.algebra.direct_sum": Row(
        lambda representations: algebra.direct_sum(representations, so(3).basis),
        {"representations": so(3).basis},
        {"representations": matrices},
    ),
    "keras_lconv.algebra.tensor_product": Row(
        lambda representations: algebra.tensor_product(representations, so(3).basis),
        {"representations": so(3).basis},
        {"representations": matrices},
    ),
    "keras_lconv.algebra.direct_product": Row(
        lambda groups: algebra.direct_product(groups, algebra.cyclic(3)),
        {"groups": algebra.cyclic(2)},
        {"groups": matrices},
    ),
    "keras_lconv.algebra.with_translations": Row(
        algebra.with_translations, {"group": algebra.O(2)}, {"group": matrices}
    ),
    "keras_lconv.algebra.wreath_product": Row(
        algebra.wreath_product,
        {"group": algebra.cyclic_shifts(2), "number": 2},
        {"group": matrices, "number": whole()},
    ),
    "keras_lconv.algebra.semidirect_product": Row(
        algebra.semidirect_product,
        {"normal": algebra.cyclic(3), "acting": algebra.dihedral(3)},
        {"normal": matrices, "acting": matrices},
    ),
    "keras_lconv.algebra.named_group": Row(
        algebra.named_group, {"name": "c4"}, {"name": lambda v: v == "c4"}
    ),
    "keras_lconv.algebra.induced": Row(
        algebra.induced,
        {"representation": algebra.cyclic(3).trivial(1), "group": algebra.dihedral(3)},
        {"group": matrices, "representation": anything},
    ),
    "keras_lconv.algebra.equivariant_kernels": Row(
        algebra.equivariant_kernels,
        {
            "group": algebra.SO(2),
            "representation_in": algebra.SO(2).trivial(1),
            "representation_out": algebra.SO(2).standard,
            "degree": 1,
        },
        {"degree": whole(0), "tolerance": optional(not_negative)},
    ),
    "keras_lconv.algebra.intertwiners": Row(
        algebra.intertwiners,
        {"source": so(3).basis, "target": so(3).basis},
        {"source": matrices, "target": matrices, "tolerance": optional(not_negative)},
    ),
    "keras_lconv.algebra.invariant_forms": Row(
        algebra.invariant_forms,
        {"generators": so(3).basis},
        {
            "generators": matrices,
            "symmetry": one_of("symmetric", "antisymmetric", "any"),
            "tolerance": optional(not_negative),
        },
    ),
}

OUTPUTS = ("free", "same", "tensor2")
TABLE_KINDS = {
    "kind": REPORT_KIND,
    "blocks": whole(),
    "scalars": lambda v: whole(0)(v) or isinstance(v, (list, tuple)),
    "columns": anything,
    "search": lambda v: v is None or isinstance(v, str) or matrices(v),
    "output": lambda v: (isinstance(v, str) and v in OUTPUTS) or matrices(v),
    "degree": optional(whole()),
    "dimension": optional(whole(0)),
    "batch_size": whole(),
}
CONSERVED_KINDS = {
    "search": lambda v: v is None or isinstance(v, str) or matrices(v),
    "action": one_of("affine", "linear"),
    "degree": optional(whole()),
    "dimension": optional(whole(0)),
}
# Of these the estimators ask for the same.
SHARED = ("blocks", "scalars", "columns", "search")
DISCOVERY = {
    "keras_lconv.discovery.find_discrete_symmetries": Row(
        discovery.find_discrete_symmetries,
        {"function": squares, "x": points()},
        {
            "x": is_array,
            "blocks": whole(),
            "tolerance": positive,
            "derivatives": one_of("automatic", "finite"),
        },
    ),
    "keras_lconv.discovery.find_symmetries": Row(
        discovery.find_symmetries,
        {"function": squares, "x": points(), "verbose": False},
        {
            **TABLE_KINDS,
            "x": is_array,
            "data_format": DATA_FORMAT,
            "verbose": progress,
        },
    ),
    "keras_lconv.discovery.fit_symmetries": Row(
        discovery.fit_symmetries,
        {
            "x": points(40),
            "y": (points(40) ** 2).sum(1),
            "model": keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
            "epochs": 1,
            "verbose": False,
        },
        {
            **TABLE_KINDS,
            "x": is_array,
            "y": is_array,
            "epochs": optional(whole()),
            "validation_split": lambda v: is_number(v) and 0 <= v < 1,
            "verbose": progress,
            "model": optional(lambda v: isinstance(v, keras.Model)),
        },
    ),
    "keras_lconv.discovery.FieldAugmentation": Row(
        discovery.FieldAugmentation,
        {"powers": [[0, 1], [1, 0]], "coefficients": [[[-1.0, 0.0], [0.0, 1.0]]]},
        {
            "powers": is_array,
            "coefficients": is_array,
            "max_time": positive,
            "blocks": whole(),
            "scalars": whole(0),
            "origin": optional(is_array),
            "steps": whole(),
            "seed": anything,
        },
    ),
    "keras_lconv.discovery.find_point_symmetries": Row(
        discovery.find_point_symmetries,
        {"equation": lambda u_t, u_xx: u_t - u_xx},
        {
            "equation": callable,
            "degree": whole(0),
            "independent": optional(names),
            "dependent": optional(names),
            "ranges": lambda v: v is None or v == {},
            "fields": lambda v: v is None,
            "coordinates": lambda v: v is None,
            "periodic": names,
            "order": lambda v: v is None,
            "search": lambda v: v is None or v == {},
            "library": lambda v: v is None,
        },
    ),
    "keras_lconv.discovery.SolutionWindows": Row(
        discovery.SolutionWindows,
        {
            "fields": {"u": random(2, 20, 16)},
            "coordinates": {"t": np.arange(20.0), "x": np.arange(16.0)},
            "periodic": ["x"],
        },
        {
            "fields": lambda v: False,
            "coordinates": lambda v: False,
            "generators": lambda v: v is None,
            "periodic": names,
            "inputs": whole(),
            "targets": whole(),
            "step": whole(),
            "distance": positive,
            "batch_size": whole(),
            "shuffle": flag,
            "seed": whole(0),
        },
    ),
    "keras_lconv.discovery.fit_generators": Row(
        discovery.fit_generators,
        {"x": points(), "y": turned(points()), "parameters": np.full(60, 0.1)},
        {
            "x": is_array,
            "y": is_array,
            "search": lambda v: v is None or isinstance(v, str) or matrices(v),
            "parameters": optional(is_array),
            "dimension": optional(whole(1)),
            "blocks": whole(),
            "smoothing": not_negative,
            "border": optional(whole(0)),
            "verbose": progress,
        },
    ),
    "keras_lconv.distribution.ModelParallel": Row(
        distribution.ModelParallel,
        {
            "device_mesh": keras.distribution.DeviceMesh(
                (1, 1), ("batch", "weights"), ["cpu:0"]
            )
        },
        {
            "device_mesh": lambda v: isinstance(v, keras.distribution.DeviceMesh),
            "layouts": lambda v: v is None or isinstance(v, dict),
        },
    ),
    "keras_lconv.discovery.GridSums": Row(
        discovery.GridSums,
        {},
        {
            "shape": optional(each(whole())),
            "min_correlation": lambda v: is_number(v) and 0 <= v < 1,
        },
    ),
    "keras_lconv.discovery.SymmetrySums": Row(
        discovery.SymmetrySums,
        {"function": squares, "x": points()},
        {
            **{name: kind for name, kind in TABLE_KINDS.items() if name != "degree"},
            "x": is_array,
            "data_format": DATA_FORMAT,
        },
    ),
    "keras_lconv.discovery.infer_grid": Row(
        discovery.infer_grid,
        {"x": smooth_images(), "verbose": False},
        {
            "x": is_array,
            "shape": optional(each(whole())),
            "min_correlation": lambda v: is_number(v) and 0 <= v < 1,
            "verbose": progress,
        },
    ),
    "keras_lconv.discovery.infer_neighbors": Row(
        discovery.infer_neighbors,
        {"x": random(30, 9)},
        {
            "x": is_array,
            "num_neighbors": whole(),
            "min_correlation": lambda v: is_number(v) and 0 <= v < 1,
            "shrinkage": optional(lambda v: is_number(v) and 0 <= v <= 1),
            "verbose": progress,
        },
    ),
}

MEASURED = {"function": first, "generators": so(3), "x": points(8), "parameters": TURNS}
OTHERS = {
    "keras_lconv.metrics.equivariance_error": Row(
        metrics.equivariance_error,
        MEASURED,
        {
            "function": callable,
            "generators": generators,
            "x": is_array,
            "parameters": is_array,
            "generators_out": optional(generators),
            "data_format": DATA_FORMAT,
        },
    ),
    "keras_lconv.metrics.invariance_error": Row(
        metrics.invariance_error,
        {**MEASURED, "function": squares},
        {
            "function": callable,
            "generators": generators,
            "x": is_array,
            "parameters": is_array,
            "data_format": DATA_FORMAT,
        },
    ),
    "keras_lconv.losses.InvariantLoss": Row(
        losses.InvariantLoss,
        {"generators": "translation"},
        {
            "generators": generators,
            "mass": not_negative,
            "form": optional(matrices),
            "data_format": DATA_FORMAT,
        },
        lambda loss: loss(random(*IMAGE), random(*IMAGE, seed=1)),
    ),
    "keras_lconv.initializers.LConvInitializer": Row(
        initializers.LConvInitializer,
        {"norm_bounds": [1.0, 2.0]},
        {
            "norm_bounds": is_array,
            "self_interaction": one_of("learned", "identity"),
            "gain": positive,
            "num_steps": whole(),
        },
        lambda made: made((3, 2, 2)),
    ),
    **{
        f"keras_lconv.regularizers.{name}": Row(
            getattr(regularizers, name),
            {},
            {"factor": not_negative},
            lambda made: made(keras.ops.convert_to_tensor(random(2, 3, 3))),
        )
        for name in ("Closure", "Orthogonality", "Sparsity")
    },
    "keras_lconv.regularizers.UnitNorm": Row(
        regularizers.UnitNorm,
        {},
        {"factor": not_negative, "norm": positive},
        lambda made: made(keras.ops.convert_to_tensor(random(2, 3, 3))),
    ),
    "keras_lconv.callbacks.EquivarianceMonitor": Row(
        callbacks.EquivarianceMonitor,
        {"generators": so(3), "x": points(8), "parameters": TURNS},
        {
            "generators": generators,
            "x": is_array,
            "parameters": is_array,
            "kind": REPORT_KIND,
            "every": whole(),
            "data_format": DATA_FORMAT,
        },
    ),
    "keras_lconv.callbacks.GeneratorMonitor": Row(
        callbacks.GeneratorMonitor,
        {"generators": g.DenseGenerators(2), "reference": so(3).basis[:2]},
        {"reference": optional(matrices), "every": whole()},
    ),
    "keras_lconv.convert.BlockDiagonal": Row(
        convert.BlockDiagonal, {"groups": 2}, {"groups": whole()}
    ),
    "keras_lconv.convert.from_conv": Row(
        convert.from_conv,
        {"layer": convolution(), "input_shape": (None, 4, 4, 2)},
        {
            "layer": lambda v: isinstance(v, keras.layers.Layer),
            "input_shape": each(whole()),
        },
    ),
    "keras_lconv.convert.to_conv": Row(
        convert.to_conv,
        {"layer": convert.from_conv(convolution(), (None, 4, 4, 2))},
        {"layer": lambda v: isinstance(v, keras.layers.Layer)},
    ),
    "keras_lconv.convert.from_dense": Row(
        convert.from_dense,
        {"layer": dense()},
        {"layer": lambda v: isinstance(v, keras.layers.Layer)},
    ),
    "keras_lconv.convert.from_graph_conv": Row(
        convert.from_graph_conv,
        {"kernel": random(2, 3), "bias": random(3), "adjacency": np.ones((4, 4))},
        {
            "kernel": is_array,
            "bias": optional(is_array),
            "adjacency": is_array,
            "normalization": lambda v: isinstance(v, str),
            "largest_eigenvalue": positive,
        },
    ),
    "keras_lconv.convert.from_lie_exponential": Row(
        convert.from_lie_exponential,
        {"layer": built(k.LieExponential(2, so(3), num_elements=2), 3, 2), "num_layers": 2},
        {
            "layer": lambda v: isinstance(v, keras.layers.Layer),
            "num_layers": whole(),
            "order": whole(),
        },
    ),
    "keras_lconv.datasets.cell_images": Row(
        datasets.cell_images,
        {"num_samples": 3, "size": 6},
        {
            "num_samples": whole(),
            "size": whole(),
            "max_shift": not_negative,
            "noise": not_negative,
            "seed": optional(whole(0)),
        },
    ),
    "keras_lconv.datasets.image_pairs": Row(
        datasets.image_pairs,
        {"num_samples": 3, "size": 6},
        {
            "num_samples": whole(),
            "size": whole(),
            "field": lambda v: isinstance(v, str) or is_array(v),
            "parameters": is_array,
            "images": optional(is_array),
            "noise": not_negative,
        },
    ),
    "keras_lconv.datasets.RandomRotations": Row(
        datasets.RandomRotations,
        {"images": random(2, 5, 5, 1), "labels": np.arange(2)},
        {
            "images": is_array,
            "labels": anything,
            "max_degrees": not_negative,
            "batch_size": whole(),
            "shuffle": flag,
            "seed": whole(0),
        },
    ),
    "keras_lconv.datasets.rotate_images": Row(
        datasets.rotate_images,
        {"images": random(2, 5, 5, 1), "degrees": 30.0},
        {"images": is_array, "degrees": is_array},
    ),
    "keras_lconv.estimators.InvariantFeatures": Row(
        estimators.InvariantFeatures,
        {"generators": "rotation"},
        {
            "generators": generators,
            "input_shape": optional(each(whole())),
            "kind": one_of("spectrum", "linear"),
            "num_invariants": optional(whole()),
            "refine": lambda v: v is None or isinstance(v, (str, list, tuple, np.ndarray)),
            "elements": lambda v: (
                v is None or isinstance(v, (str, list, tuple, np.ndarray))
            ),
            "tolerance": positive,
            "batch_size": whole(),
        },
        lambda made: made.fit_transform(random(4, 5, 5, 1)),
    ),
    **{
        f"keras_lconv.estimators.{name}": Row(
            getattr(estimators, name),
            {"epochs": 1, "search_epochs": 1, "hidden_units": 2},
            {
                **{kind: TABLE_KINDS[kind] for kind in SHARED},
                "hidden_units": each(whole()),
                "vectors": whole(),
                "epochs": optional(whole()),
                "search_epochs": optional(whole()),
                "batch_size": whole(),
                "learning_rate": positive,
                "min_confidence": lambda v: is_number(v) and 0 < v < 1,
                "random_state": anything,
                "verbose": progress,
            },
            lambda made, y=y: made.fit(points(40), y).predict(points(40)),
        )
        for name, y in {
            "SymmetryRegressor": (points(40) ** 2).sum(1),
            "SymmetryClassifier": np.arange(40) % 2,
        }.items()
    },
    "keras_lconv.models.classifier": Row(
        models.classifier,
        {"data": "signal", "input_shape": (6, 1)},
        {
            "data": one_of("signal"),
            "input_shape": each(whole()),
            "classes": whole(),
            "generators": lambda v: v is None,
        },
    ),
    "keras_lconv.models.equivariant_mlp": Row(
        models.equivariant_mlp,
        {"generators": so(2), "hidden_units": (2,), "vectors": 2},
        {
            "generators": generators,
            "blocks": whole(),
            "outputs": whole(),
            "generators_out": optional(generators),
            "scalars": whole(0),
            "hidden_units": each(whole()),
            "vectors": whole(),
            "order": whole(),
            "learn_frame": flag,
            "include_top": flag,
            "tolerance": optional(not_negative),
        },
    ),
    "keras_lconv.models.lconv_classifier": Row(
        models.lconv_classifier,
        {"input_shape": (6, 6, 1), "filters": (2,), "hidden_units": 2},
        {
            "include_top": flag,
            "input_shape": optional(each(whole())),
            "classes": whole(),
            "generators": generators,
            "filters": any_number_of(whole()),
            "downsampling": whole(),
            "num_invariants": optional(whole()),
            "hidden_units": optional(each(whole())),
            "dropout": lambda v: is_number(v) and 0 <= v < 1,
            "pooling": one_of("spectrum", "linear", "avg", "max"),
        },
    ),
    "keras_lconv.models.se2_classifier": Row(
        models.se2_classifier,
        {"input_shape": (8, 8, 1), "filters": ((2,), (2,)), "num_orientations": 4},
        {
            "include_top": flag,
            "input_shape": each(whole()),
            "classes": whole(),
            "filters": lambda v: isinstance(v, (list, tuple)),
            "num_orientations": whole(),
            "reflections": flag,
            "order": whole(0),
            "scale": positive,
            "strides": whole(),
            "derivative": FIELD["derivative"],
            "pooling": one_of("avg", "max"),
        },
    ),
    "keras_lconv.models.steerable_classifier": Row(
        models.steerable_classifier,
        {"input_shape": (9, 9, 1), "group": "c4", "padding": 0},
        {
            "include_top": flag,
            "input_shape": each(whole()),
            "classes": whole(),
            "group": group,
            "size": one_of("tiny", "small", "medium", "large"),
            "padding": whole(0),
            "pooling": one_of("avg", "max"),
            "dropout": lambda v: is_number(v) and 0 <= v < 1,
        },
    ),
    "keras_lconv.models.EnergyAndForces": Row(
        models.EnergyAndForces,
        {"model": built(k.PointPooling(), 4, 1)},
        {"model": lambda v: isinstance(v, keras.layers.Layer)},
    ),
    "keras_lconv.models.from_report": Row(
        models.from_report,
        {"report": ROTATIONS_FOUND, "x": points(40), "hidden_units": (4,), "vectors": 2},
        {
            "report": lambda v: isinstance(v, discovery.SymmetryReport),
            "x": is_array,
            "outputs": whole(),
            "hidden_units": each(whole()),
            "vectors": whole(),
        },
    ),
    "keras_lconv.models.train_from_report": Row(
        models.train_from_report,
        {
            "report": ROTATIONS_FOUND,
            "x": points(40),
            "y": (points(40) ** 2).sum(1),
            "epochs": 1,
            "verbose": False,
            "hidden_units": (4,),
            "vectors": 2,
        },
        {
            "report": lambda v: isinstance(v, discovery.SymmetryReport),
            "x": is_array,
            "y": is_array,
            "validation_split": lambda v: is_number(v) and 0 < v < 1,
            "epochs": whole(),
            "batch_size": whole(),
            "learning_rate": positive,
            "seed": whole(0),
            "verbose": progress,
            "hidden_units": each(whole()),
            "vectors": whole(),
        },
    ),
    "keras_lconv.models.point_network": Row(
        models.point_network,
        {"input_shape": (4, 3), "group": "so3", "filters": (2, 2), "hidden_units": (4,)},
        {
            "include_top": flag,
            "input_shape": lambda v: False,
            "pooling": one_of("average", "sum", "max"),
            "classes": whole(),
            "group": lambda v: hasattr(v, "standard"),
            "num_features": whole(),
            "num_species": optional(whole()),
            "num_edge_features": optional(whole()),
            "neighbor_table": flag,
            "filters": each_of(whole()),
            "num_neighbors": optional(whole()),
            "radius": optional(positive),
            "degree": whole(0),
            "hidden_units": each_of(whole()),
            "aggregation": one_of("sum", "average", "attention"),
            "relative": flag,
        },
    ),
    "keras_lconv.models.steerable_unet": Row(
        models.steerable_unet,
        {"input_shape": (8, 8, 1), "group": "c4"},
        {
            "include_top": flag,
            "input_shape": each(whole()),
            "classes": whole(),
            "group": group,
            "size": one_of("small", "medium", "large"),
            "levels": whole(),
        },
    ),
    "keras_lconv.physics.Lagrangian": Row(
        physics.Lagrangian,
        {"layer": built(k.LConv(1, "translation"), 4, 4, 1)},
        {
            "layer": lambda v: isinstance(v, keras.layers.Layer),
            "target": optional(is_array),
        },
    ),
    "keras_lconv.physics.find_conserved_quantities": Row(
        physics.find_conserved_quantities,
        {"hamiltonian": energy, "x": random(40, 2)},
        {"hamiltonian": callable, "x": is_array, **CONSERVED_KINDS},
    ),
    "keras_lconv.physics.HamiltonianSums": Row(
        physics.HamiltonianSums,
        {"hamiltonian": energy, "x": random(40, 2)},
        {"hamiltonian": callable, "x": is_array, **CONSERVED_KINDS},
    ),
    "keras_lconv.physics.fit_conserved_quantities": Row(
        physics.fit_conserved_quantities,
        {"trajectories": paths()},
        {"trajectories": is_array, "times": optional(is_array), **CONSERVED_KINDS},
    ),
    "keras_lconv.physics.MotionSums": Row(
        physics.MotionSums,
        {"trajectories": paths()},
        {"trajectories": is_array, "times": optional(is_array), **CONSERVED_KINDS},
    ),
    "keras_lconv.physics.robustness": Row(
        physics.robustness,
        {"function": squares, "x": points(6), "generators": so(3)},
        {
            "function": callable,
            "x": is_array,
            "y": optional(is_array),
            "second_order": one_of("auto", "derivative", "difference"),
            "step": positive,
            "rank_by": one_of("auto", "loss", "output"),
            "batch_size": whole(),
            "data_format": DATA_FORMAT,
            "verbose": progress,
        },
    ),
    "keras_lconv.physics.flat_directions": Row(
        physics.flat_directions,
        {
            "model": keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]),
            "loss": "mse",
            "data": (points(6), points(6)),
            "generators": so(3),
        },
        {"tolerance": not_negative, "generators": anything, "loss": anything},
    ),
    **{
        f"keras_lconv.visualization.{name}": Row(
            getattr(visualization, name), arguments, dict.fromkeys(arguments, is_array)
        )
        for name, arguments in {
            "plot_errors": {"parameters": [[0.1], [0.2]], "errors": [0.1, 0.2]},
            "plot_graph": {"points": random(3, 2), "pairs": [(0, 1)]},
            "plot_matrix": {"matrix": random(3, 3)},
            "plot_vector_field": {"field": random(4, 4, 2)},
        }.items()
    },
    "keras_lconv.visualization.plot_spectrum": Row(
        visualization.plot_spectrum,
        {"singular_values": [0.01, 1.0], "dimension": 1},
        {"singular_values": is_array, "dimension": whole(0)},
    ),
}

ROWS: dict[str, Row] = {**LAYERS, **GENERATORS, **ALGEBRA, **DISCOVERY, **OTHERS}
# Made by the package, not by its users: results, and functions that `plot` of a report
# calls.
RESULTS = ("Report", "Cost", "Identification", "IrreduciblePart", "EquivariantKernels")
RESULTS += (
    "ActionSymmetries",
    "ConservedCurrent",
    "ConservedFunction",
    "ConservedQuantity",
    "Drift",
    "plot_result",
)
