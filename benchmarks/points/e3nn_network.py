"""Layers and a network of e3nn, for an environment with e3nn and PyTorch.

Convolutions of spherical harmonics of differences, tensor products with weights from
radial networks, and gates: as e3nn's own examples of networks on points are made.
"""

import math

import torch
from e3nn import nn, o3

BODIES = 5
# Of all pairs, in which no body is its own neighbour.
FIRST, SECOND = (~torch.eye(BODIES, dtype=torch.bool)).nonzero().T


class Convolution(torch.nn.Module):
    """Messages of pairs, which are the same for all samples of a batch.

    Args:
        first: The points that hear, `(pairs,)`.
        second: Those that they hear.
        before: Irreducible parts of the input.
        after: Those of the output.
        harmonics: Those of the differences.
        of_edge: How many invariants a pair has.
        width: Units of the radial network.
    """

    def __init__(self, first, second, before, after, harmonics, of_edge, width):
        super().__init__()
        self.first, self.second = first, second
        middle, paths = [], []
        for i, (multiplicity, own) in enumerate(before):
            for j, (_, turning) in enumerate(harmonics):
                for irrep in own * turning:
                    if irrep in after:
                        paths.append((i, j, len(middle), "uvu", True))
                        middle.append((multiplicity, irrep))
        middle = o3.Irreps(middle)
        order, places, _ = middle.sort()
        paths = [
            (i, j, places[k], mode, is_weighted) for i, j, k, mode, is_weighted in paths
        ]
        self.product = o3.TensorProduct(
            before, harmonics, order, paths, internal_weights=False, shared_weights=False
        )
        self.radial = nn.FullyConnectedNet(
            [of_edge, width, self.product.weight_numel], torch.nn.functional.silu
        )
        self.mix = o3.Linear(order.simplify(), after)
        self.own = o3.Linear(before, after)

    def forward(self, f, harmonics, seen):
        told = self.product(f[:, self.second], harmonics, self.radial(seen))
        total = torch.zeros(*f.shape[:2], told.shape[-1], dtype=f.dtype)
        each = len(self.first) / f.shape[1]
        total = total.index_add(1, self.first, told) / math.sqrt(each)
        return self.own(f) + self.mix(total)


class Network(torch.nn.Module):
    """Layers of convolutions and gates, and a last one that says how bodies move.

    Args:
        width: Channels of each irreducible part, and units of radial networks.
        rounds: Number of layers before the last.
        degree: The largest of spherical harmonics.
    """

    def __init__(self, width=16, rounds=3, degree=2):
        super().__init__()
        self.harmonics = o3.Irreps.spherical_harmonics(degree)
        before = o3.Irreps("2x0e + 1x1o")
        self.layers, self.gates = torch.nn.ModuleList(), torch.nn.ModuleList()
        for _ in range(rounds):
            turning = o3.Irreps(f"{width}x1o + {width}x2e")
            gate = nn.Gate(
                f"{width}x0e",
                [torch.nn.functional.silu],
                f"{2 * width}x0e",
                [torch.sigmoid],
                turning,
            )
            self.layers.append(
                Convolution(
                    FIRST,
                    SECOND,
                    before,
                    gate.irreps_in,
                    self.harmonics,
                    BUMPS + 1,
                    2 * width,
                )
            )
            self.gates.append(gate)
            before = gate.irreps_out
        self.last = Convolution(
            FIRST,
            SECOND,
            before,
            o3.Irreps("1x1o"),
            self.harmonics,
            BUMPS + 1,
            2 * width,
        )

    def forward(self, charges, x, v):
        apart = x[:, SECOND] - x[:, FIRST]
        harmonics = o3.spherical_harmonics(
            self.harmonics, apart, normalize=True, normalization="component"
        )
        product = charges[:, SECOND] * charges[:, FIRST]
        seen = torch.cat([bumps(apart.norm(dim=-1)), product], dim=-1)
        f = torch.cat([charges, v.norm(dim=-1, keepdim=True), v], dim=-1)
        for layer, gate in zip(self.layers, self.gates, strict=True):
            f = gate(layer(f, harmonics, seen))
        return x + v + self.last(f, harmonics, seen)


BUMPS = 10


def bumps(lengths):
    """Gaussians of the logarithm of distances, which range from 0.05 to 10."""
    centres = torch.linspace(math.log(0.05), math.log(10.0), BUMPS)
    width = centres[1] - centres[0]
    return torch.exp(-(((lengths.clamp(min=1e-3).log()[..., None] - centres) / width) ** 2))
