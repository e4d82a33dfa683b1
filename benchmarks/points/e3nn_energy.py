"""The energy of a molecule by a network of e3nn, for an environment with PyTorch."""

import math

import torch
from e3nn import nn, o3
from e3nn.math import soft_one_hot_linspace
from e3nn_network import Convolution

BASIS, RADIUS = 10, 5.0


class Energy(torch.nn.Module):
    """Layers of convolutions and gates, and a sum over atoms.

    Args:
        kinds: The kinds of the atoms, integers from 1, `(atoms,)`.
        width: Channels of each irreducible part, and units of radial networks.
        rounds: Number of layers.
        degree: The largest of spherical harmonics.
    """

    def __init__(self, kinds, width=16, rounds=2, degree=2):
        super().__init__()
        kinds = torch.as_tensor(kinds, dtype=torch.long)
        self.one_hot = torch.nn.functional.one_hot(kinds - 1).float()
        pairs = ~torch.eye(len(kinds), dtype=torch.bool)
        self.first, self.second = pairs.nonzero().T
        self.harmonics = o3.Irreps.spherical_harmonics(degree)
        before = o3.Irreps(f"{width}x0e")
        self.kinds = o3.Linear(o3.Irreps(f"{self.one_hot.shape[1]}x0e"), before)
        self.layers, self.gates = torch.nn.ModuleList(), torch.nn.ModuleList()
        for _ in range(rounds):
            turning = [(width, irrep) for _, irrep in self.harmonics[1:]]
            gate = nn.Gate(
                f"{width}x0e",
                [torch.nn.functional.silu],
                f"{len(turning) * width}x0e",
                [torch.sigmoid],
                o3.Irreps(turning),
            )
            self.layers.append(self._convolution(before, gate.irreps_in, width))
            self.gates.append(gate)
            before = gate.irreps_out
        self.last = self._convolution(before, o3.Irreps(f"{width}x0e"), width)
        self.energy = torch.nn.Linear(width, 1)

    def _convolution(self, before, after, width):
        ends = self.first, self.second
        return Convolution(*ends, before, after, self.harmonics, BASIS, 2 * width)

    def forward(self, x):
        """Energies `(batch, 1)` of positions `(batch, atoms, 3)`."""
        apart = x[:, self.second] - x[:, self.first]
        harmonics = o3.spherical_harmonics(
            self.harmonics, apart, normalize=True, normalization="component"
        )
        seen = soft_one_hot_linspace(
            apart.norm(dim=-1), 0.0, RADIUS, BASIS, basis="smooth_finite", cutoff=True
        )
        seen = math.sqrt(BASIS) * seen
        f = self.kinds(self.one_hot).expand(len(x), -1, -1)
        for layer, gate in zip(self.layers, self.gates, strict=True):
            f = gate(layer(f, harmonics, seen))
        f = torch.nn.functional.silu(self.last(f, harmonics, seen))
        return self.energy(f).sum(dim=1)
