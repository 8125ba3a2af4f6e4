"""Muon for the matrices of the layers, Adam for everything else."""

import torch


def orthogonal(g, steps=5):
    """The nearest semi-orthogonal matrices of a batch [N, a, b], by Newton-Schulz in bf16."""
    x = g.bfloat16()
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x if wide else x.mT


class Muon:
    """Updates have the root mean square 0.2 * lr, as Adam's about have."""

    def __init__(self, parameters, momentum=0.95, decay=0.05):
        self.momentum, self.decay, self.groups = momentum, decay, []
        shapes = {}
        for p in parameters:
            shapes.setdefault(p.shape, []).append(p)
        for members in shapes.values():
            self.groups.append((members, [torch.zeros_like(p) for p in members]))

    @torch.no_grad()
    def step(self, lr):
        for members, buffers in self.groups:
            grads = [p.grad for p in members]
            torch._foreach_lerp_(buffers, grads, 1 - self.momentum)
            mixed = torch._foreach_lerp(grads, buffers, self.momentum)
            shape = members[0].shape
            stacked = torch.stack(mixed).view(-1, *shape[-2:])
            update = orthogonal(stacked).float() * (0.2 * max(shape[-2:]) ** 0.5)
            updates = list(update.view(len(members), *shape).unbind(0))
            torch._foreach_mul_(members, 1 - lr * self.decay)
            torch._foreach_add_(members, updates, alpha=-lr)
