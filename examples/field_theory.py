# %% [markdown]
# # An L-conv layer as a field theory
#
# The squared output of a linear L-conv layer is an action, $S[f] = \sum |Q f|^2$. It has
# a mass, a metric of space, an equation of motion and, for each symmetry, a current, which
# is conserved where the equation of motion holds. All of them follow from the weights of
# the layer and from the vector fields of its generators.
#
# Run it on any backend: `KERAS_BACKEND=torch python examples/field_theory.py`

# %%
import argparse
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.patches import Ellipse

from keras_lconv import LConv
from keras_lconv.generators import affine, translation
from keras_lconv.physics import Lagrangian, robustness
from keras_lconv.visualization import plot_vector_field

parser = argparse.ArgumentParser(description="An L-conv layer as a field theory.")
parser.add_argument("--mass", type=float, default=1.0)
parser.add_argument("--sizes", type=int, nargs="+", default=[17, 33, 65, 129])
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()
options.output.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## A layer with one filter for each term
#
# With translations as generators, $Q f = (m f, -\partial_x f, -\partial_y f)$ has the
# density $m^2 f^2 + |\nabla f|^2$, that of Klein and Gordon: its metric is the identity
# everywhere. With other generators and weights the metric depends on the position. The
# picture shows it as ellipses, long in the direction in which a slope adds most to the
# action.


# %%
def klein_gordon(size, mass, derivative="central"):
    """A layer with the density `m^2 f^2 + |grad f|^2`, as a `Lagrangian`."""
    layer = LConv(3, translation(derivative=derivative), use_bias=False)
    layer.build((None, size, size, 1))
    layer.kernel.assign(np.diag([mass, 1.0, 1.0])[:, None, :])
    return Lagrangian(layer)


def random_affine(size):
    """A layer with random weights and all affine generators, as a `Lagrangian`."""
    layer = LConv(3, "affine", use_bias=False, kernel_initializer="random_normal")
    layer.build((None, size, size, 1))
    return Lagrangian(layer)


def draw_metric(theory, ax, title):
    """Draws the metric as ellipses, long where a slope costs much."""
    metric = theory.metric[..., 0, 0]
    size = len(metric)
    largest = np.sqrt(np.linalg.eigvalsh(metric).max())
    for i, j in np.ndindex(size, size):
        values, vectors = np.linalg.eigh(metric[i, j])
        lengths = np.sqrt(np.maximum(values, 0)) / largest
        # Rows grow downwards: the first component of a vector is its row.
        angle = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1]))
        ax.add_patch(
            Ellipse((j, i), 0.8 * lengths[1], 0.8 * lengths[0], angle=angle, color="C0")
        )
    ax.set(xlim=(-1, size), ylim=(size, -1), aspect="equal", title=title)
    ax.set(xlabel="column", ylabel="row")


figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.2), layout="constrained")
draw_metric(klein_gordon(11, options.mass), axes[0], "translations, isotropic")
draw_metric(random_affine(11), axes[1], "affine, random weights")
figure.savefig(options.output / "metric.png", dpi=110)

# %% [markdown]
# ## A solution, and another field
#
# The equation of motion is $m^2 f = (\partial_x^2 + \partial_y^2) f$. The functions
# $\cos(k y) \cosh(\sqrt{k^2 + m^2} \, x)$ and their turned and shifted copies solve it. A
# bump does not. `euler_lagrange` computes the residual $E$, which is zero for solutions.
# Outside of the grid fields are zero. So positions near the border are left out.


# %%
def fields(size, mass):
    """A solution and a bump on the square `[-1, 1]^2`, and the grid's step."""
    step = 2 / (size - 1)
    x = (np.arange(size) * step - 1)[:, None]
    y = x.T
    solution = 0
    for k, phase, angle in [(1.0, 0.3, 0.0), (0.5, 1.0, 0.8), (1.5, -0.5, 2.0)]:
        along = np.cos(angle) * x + np.sin(angle) * y
        across = np.cos(angle) * y - np.sin(angle) * x
        rate = np.hypot(k, mass)
        solution = solution + np.cos(k * across + phase) * np.cosh(rate * along)
    bump = np.exp(-8 * ((x - 0.15) ** 2 + 1.5 * (y + 0.1) ** 2))
    return solution[None, ..., None], bump[None, ..., None], step


*both, step = fields(33, options.mass)
theory = klein_gordon(33, options.mass * step)
inside = np.s_[0, 3:-3, 3:-3, 0]
for name, field in zip(("solution", "bump"), both, strict=True):
    residual = ops.convert_to_numpy(theory.euler_lagrange(field))[inside]
    print(
        f"{name:9s} |E| is at most {np.abs(residual).max() / np.abs(field).max():.1e} |f|"
    )

# %% [markdown]
# ## Symmetries
#
# `symmetries` finds the affine motions and the matrices on channels that have a conserved
# current.

# %%
print(theory.symmetries().summary())

# %% [markdown]
# These are the rigid motions, two translations and the rotation, which form se(2).
#
# ## Currents
#
# The current of a symmetry $K$ has the divergence $-E \cdot (K f)$: it is conserved where
# the equation of motion holds. On the grid the divergence for a solution is the error of
# central differences.


# %%
def size_of_divergence(size, mass, symmetry):
    """`|div J|`, relative to the terms of its sum, for the solution and the bump."""
    *both, step = fields(size, mass)
    theory = klein_gordon(size, mass * step)
    inside = np.s_[0, 3:-3, 3:-3, 0]
    found = []
    for field in both:
        current = ops.convert_to_numpy(theory.noether_current(field, symmetry))
        divergence = ops.convert_to_numpy(theory.divergence(current))[inside]
        slopes = [np.gradient(current[..., a], axis=a + 1)[inside] for a in range(2)]
        terms = sum(np.abs(slope) for slope in slopes)
        found.append(np.sqrt(np.mean(divergence**2) / np.mean(terms**2)))
    return found


errors = {}
for symmetry in ("translation", "rotation"):
    errors[symmetry] = np.array(
        [size_of_divergence(size, options.mass, symmetry) for size in options.sizes]
    )
    print(f"Divergence of the current of the {symmetry}, relative to its terms")
    for size, (of_solution, of_bump) in zip(options.sizes, errors[symmetry], strict=True):
        print(f"  {size:4d} points: solution {of_solution:.1e}, bump {of_bump:.2f}")

# %% [markdown]
# For the solution the divergence falls with the square of the grid's step. For the bump it
# does not: there it is minus the residual of the equation of motion times the change of the
# field. The picture shows the current of the rotation and its divergence:

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
inside = np.s_[0, 2:-2, 2:-2, 0]
for ax, name, field in zip(axes, ["the solution", "the bump"], both, strict=False):
    current = ops.convert_to_numpy(theory.noether_current(field, "rotation"))
    ax.imshow(field[inside], cmap="Greys", alpha=0.4)
    lengths = np.linalg.norm(current[inside], axis=-1, keepdims=True)
    # Arrows as long as the square root, so that weak currents are seen.
    arrows = current[inside] / np.sqrt(np.maximum(lengths, 1e-12))
    plot_vector_field(arrows, ax, f"current of the rotation: {name}")
sizes = np.array(options.sizes)
for name, values in zip(["the solution", "the bump"], errors["rotation"].T, strict=True):
    axes[2].loglog(sizes, values, "o-", label=name)
expected = errors["rotation"][0, 0] * ((sizes[0] - 1) / (sizes - 1)) ** 2
axes[2].loglog(sizes, expected, "k:", label="square of the step")
axes[2].set(xlabel="points along each axis", ylabel="divergence / its terms")
axes[2].set_xticks(sizes, [str(size) for size in sizes])
axes[2].minorticks_off()
axes[2].set_title("divergence of the current")
axes[2].legend()
figure.savefig(options.output / "field_theory.png", dpi=110)

# %% [markdown]
# ## Robustness
#
# The residual is the gradient of the squared output by the input. Its product with a
# small deformation $L f$ is the first-order change of the squared output. `robustness`
# measures this change for any differentiable model, by forward derivatives. The output of
# the layer moves with its input, so generators are ranked by the change of the loss and not
# by that of the output.

# %%
bump, moves = both[1], affine(derivative="central")
report = robustness(
    theory.layer, bump, moves, names=["down", "right", "yy", "yx", "xy", "xx"]
)
print(report.summary())

# %% [markdown]
# To first order, moves to the right or down change nothing: a translation is a symmetry
# of the layer. Scalings, `yy` and `xx`, change the action most. The first derivatives agree
# with those from the residual:

# %%
variations = ops.convert_to_numpy(moves(bump))
residual = ops.convert_to_numpy(theory.euler_lagrange(bump))
expected = np.einsum("bxyc,bxykc->k", residual, variations)
difference = np.abs(report.first[0] - expected).max() / np.abs(expected).max()
print(f"largest relative difference: {difference:.1e}")
