# %% [markdown]
# # A symmetry behind images
#
# In some videos a bright spot moves towards a circle along a spiral. Its motion has a
# symmetry, rotation about the centre, which no single pixel shows. An autoencoder turns
# each image into two numbers, its code, and the search is among codes. The task is a small
# version of that of J. Yang, N. Dehmamy, R. Walters, R. Yu, "Latent space symmetry
# discovery", ICML 2024.

# %%
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from scipy.integrate import solve_ivp

from keras_lconv.discovery import find_point_symmetries

SIZE = 16
times = np.linspace(0, 3, 40)
rng = np.random.default_rng(0)

# %% [markdown]
# ## Videos
#
# The position of the spot obeys $\dot w = (1 - |w|^2) w / 2 + 2 J w$ with a quarter turn
# $J$. The following steps use only the pixels, with noise of 2%.


# %%
def motion(_, w):
    return (1 - w @ w) * w / 2 + 2 * np.array([-w[1], w[0]])


def paths(number):
    """Positions of the spot `(number, times, 2)`, from random starts."""
    found = []
    for size, angle in rng.uniform((0.2, 0), (1.4, 2 * np.pi), (number, 2)):
        start = size * np.array([np.cos(angle), np.sin(angle)])
        found.append(solve_ivp(motion, (0, 3), start, t_eval=times, rtol=1e-8).y.T)
    return np.array(found)


def images(positions):
    """Pixels `(..., SIZE^2)` of a spot at positions `(..., 2)`."""
    line = np.linspace(-2.5, 2.5, SIZE)
    squares = [(line - positions[..., axis, None]) ** 2 for axis in (0, 1)]
    x, y = (np.exp(-each / (2 * 0.9**2)) for each in squares)
    return (y[..., :, None] * x[..., None, :]).reshape(*positions.shape[:-1], -1)


positions = paths(40)
clean = images(positions)
videos = (clean + 0.02 * rng.normal(size=clean.shape)).astype("float32")
frames = videos.reshape(-1, SIZE**2)
print(f"{len(videos)} videos of {len(times)} images, {SIZE**2} pixels")

# %% [markdown]
# ## The autoencoder
#
# A turn of the picture is an orthogonal map of its pixels, up to the error of the grid. So
# it acts as a matrix on the codes of the *linear* encoder with the best reconstruction, the
# principal components. The decoder need not be linear, and is a network.

# %%
keras.utils.set_random_seed(0)


def fitted(model, x, y, epochs):
    """Trains a model; returns what is left of the variance."""
    rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // 100))
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, y, batch_size=100, epochs=epochs, verbose=0)
    return model.evaluate(x, y, verbose=0) / np.var(y)


def decoder():
    hidden = [layers.Dense(64, "tanh") for _ in range(2)]
    return keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(SIZE**2)])


mean = np.mean(frames, axis=0)
spreads, components = np.linalg.svd(frames - mean, full_matrices=False)[1:]
encoder = keras.Sequential([keras.Input((SIZE**2,)), layers.Dense(2)])
encoder.set_weights([components[:2].T, -components[:2] @ mean])
print(f"linear decoder: {1 - np.sum(spreads[:2] ** 2) / np.sum(spreads**2):.0%} is left")
codes = encoder.predict(frames, verbose=0)
decode = decoder()
left = fitted(decode, codes, frames, 15)
print(f"network as decoder: {left:.1%} is left")

# %% [markdown]
# ## Equation and symmetries of the codes
#
# The codes of a video are a trajectory. `find_point_symmetries` fits an equation to all of
# them, and finds its symmetries.


# %%
def asked(codes):
    a, b = np.moveaxis(codes.reshape(*positions.shape), -1, 0)
    return find_point_symmetries(fields={"a": a, "b": b}, coordinates={"t": times})


report = asked(codes)
print(report.summary())

# %% [markdown]
# The first symmetry is a shift of time. The second turns the codes, up to their scales,
# although the search knew of no centre and no circle. Its accuracy is that of the fitted
# equation, and the confidence shows this.
#
# ## How accurate it is
#
# The true positions, which the search did not see, determine the exact turn of the codes.
# The turn that was found also turns images: codes move along its flow, and are decoded.

# %%
columns = np.column_stack([positions.reshape(-1, 2), np.ones(len(codes))])
slopes = np.linalg.lstsq(columns, codes, rcond=None)[0][:2].T
quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
exact = slopes @ quarter @ np.linalg.inv(slopes)
turn = report.generators[-1]
found = turn.jacobian(np.zeros(3))[0, 1:, 1:]
cosine = np.sum(found * exact) / np.linalg.norm(found) / np.linalg.norm(exact)
angle = np.degrees(np.arccos(np.clip(abs(cosine), 0, 1)))
print(f"angle to the exact turn of the codes: {angle:.1f} degrees")

speed = np.sign(cosine) * np.max(np.linalg.eigvals(found).imag)
points = np.column_stack([np.zeros(len(codes)), codes])
turned = decode.predict(turn.flow(points, np.pi / 2 / speed)[:, 1:], verbose=0)
expected = images(positions @ quarter.T).reshape(frames.shape)
plain = decode.predict(codes, verbose=0)


def missed(shown, images):
    return np.mean((shown - images) ** 2) / np.var(images)


before, after = missed(plain, clean.reshape(frames.shape)), missed(turned, expected)
print(f"images, decoded: {before:.1%} of the variance missed")
print(f"turned by a quarter among the codes, then decoded: {after:.1%}")

# %% [markdown]
# ## A network as encoder
#
# The codes of a network may be any curved function of the positions. Then no matrix is the
# symmetry.

# %%
hidden = [layers.Dense(64, "tanh") for _ in range(2)]
bending = keras.Sequential([keras.Input((SIZE**2,)), *hidden, layers.Dense(2)])
left = fitted(keras.Sequential([bending, decoder()]), frames, frames, 15)
print(f"{left:.1%} of the variance is left")
bent = asked(bending.predict(frames, verbose=0))
print(bent.summary())

# %% [markdown]
# The search finds only shifts of time, with a low confidence. If a group acts on images by
# orthogonal maps, a linear encoder is enough. Otherwise encoder and symmetry have to be
# trained together, as in the paper.

# %%
figure, panels = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
z = codes.reshape(*positions.shape)
for video in z[:10]:
    panels[0].plot(*video.T, linewidth=1)
panels[0].set(title="Codes of ten videos", xlabel="$a$", ylabel="$b$")
for panel, picture, title in zip(
    panels[1:],
    (frames[5], turned[5], expected[5]),
    ("An image", "Turned among the codes", "The exact turn"),
    strict=True,
):
    panel.imshow(picture.reshape(SIZE, SIZE), vmin=0, vmax=1, cmap="gray", origin="lower")
    panel.set_title(title)
    panel.set_axis_off()
path = pathlib.Path("outputs/latent_symmetry.png")
path.parent.mkdir(exist_ok=True)
figure.savefig(path, dpi=110)
