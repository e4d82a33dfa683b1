"""Trainings of networks on energies and forces, each for the same processor time."""

import keras
import numpy as np
from conformations import Conformations, Scale
from timed import Trained, Training, timed

BATCH = 10
# Of the squared errors of energies, beside those of components of forces.
ENERGY_WEIGHT = 10.0
# The largest norm of a gradient.
CLIP = 1.0


def errors(predict, given: Conformations) -> dict[str, float]:
    """Mean absolute errors of energies and of components of forces."""
    energy, forces = predict(given.positions)
    return {
        "energy, meV": round(1e3 * float(np.abs(energy - given.energy).mean()), 2),
        "forces, meV/A": round(1e3 * float(np.abs(forces - given.forces).mean()), 2),
    }


def of_keras(
    name: str, arguments: dict, kinds, train: Conformations, seed: int
) -> Training:
    """A network of Keras."""
    from energy_networks import NETWORKS

    from keras_lconv.models import EnergyAndForces

    keras.utils.set_random_seed(seed)
    model = EnergyAndForces(NETWORKS[name](kinds, **arguments))
    model.compile(
        keras.optimizers.Adam(global_clipnorm=CLIP),
        loss={"energy": "mse", "forces": "mse"},
        loss_weights={"energy": ENERGY_WEIGHT, "forces": 1.0},
    )

    def inputs(positions):
        return [np.tile(kinds, (len(positions), 1)), positions.astype("float32")]

    def epoch(rate):
        model.optimizer.learning_rate.assign(rate)
        targets = {"energy": train.energy, "forces": train.forces}
        model.fit(inputs(train.positions), targets, batch_size=BATCH, verbose=0)

    def predict(positions):
        found = model.predict(inputs(positions), batch_size=100, verbose=0)
        return found["energy"], found["forces"]

    model.build([(None, len(kinds)), (None, len(kinds), 3)])
    return Training(epoch, predict, model.count_params())


def of_e3nn(arguments: dict, kinds, train: Conformations, seed: int) -> Training:
    """The network of e3nn, with PyTorch."""
    import torch
    from e3nn_energy import Energy

    torch.manual_seed(seed)
    model = Energy(kinds, **arguments)
    optimizer = torch.optim.Adam(model.parameters())
    given = [torch.from_numpy(each) for each in train]

    def both(x):
        x = x.requires_grad_()
        energy = model(x)
        (slope,) = torch.autograd.grad(energy.sum(), x, create_graph=model.training)
        return energy, -slope

    def epoch(rate):
        model.train()
        optimizer.param_groups[0]["lr"] = rate
        for rows in torch.randperm(len(given[0])).split(BATCH):
            positions, *targets = (each[rows] for each in given)
            energy, forces = (
                torch.mean((found - wanted) ** 2)
                for found, wanted in zip(both(positions), targets, strict=True)
            )
            optimizer.zero_grad()
            (ENERGY_WEIGHT * energy + forces).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()

    def predict(positions):
        model.eval()
        parts = torch.from_numpy(positions.astype("float32")).split(100)
        found = [[each.detach().numpy() for each in both(part)] for part in parts]
        return tuple(np.concatenate(each) for each in zip(*found, strict=True))

    return Training(epoch, predict, sum(each.numel() for each in model.parameters()))


def trained(
    name: str,
    rate: float,
    arguments: dict,
    seconds: float,
    kinds: np.ndarray,
    train: Conformations,
    seed: int,
    watch: Conformations | None = None,
) -> Trained:
    """Trains a network for so many processor seconds, by `timed`.

    Args:
        name: Of the network.
        rate: The first learning rate.
        arguments: Of the network.
        seconds: Processor seconds.
        kinds: Of the atoms.
        train: The samples.
        seed: Of weights and of the order of samples.
        watch: Samples whose error is measured now and then, if given.
    """
    scale = Scale.of(train)
    make = of_e3nn if name == "e3nn" else lambda *given: of_keras(name, *given)
    within = make(arguments, kinds, scale.inwards(train), seed)

    def predict(positions):
        return scale.outwards(*within.predict(positions))

    def look():
        return errors(predict, watch)["forces, meV/A"]

    training = within._replace(predict=predict)
    return timed(training, rate, seconds, look if watch else None)
