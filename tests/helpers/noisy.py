"""Random tensors and modules that are the same each time, in double precision."""

import torch


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def some(*shape, seed=2, share=0.4):
    """Random booleans; among small ones, some objects own nothing at all."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def leaf(x):
    return x.clone().requires_grad_()


def build(module, seed=0, scale=0.5):
    """The module with parameters and frozen statistics random: fresh gates and norms would hide a forgotten one."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            draw = torch.randn(tensor.shape, generator=generator, dtype=torch.double) * scale
            tensor.copy_(draw.abs() + 0.5 if name.endswith("running_var") else draw)
    return module
