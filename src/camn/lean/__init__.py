"""The fast form of a trained network, for inference: the same answers.

Both forms take over what they need of the network's tensors, in their place and precision, and give no gradients. What
a form does not know is refused, see `known`.
"""

from __future__ import annotations

from collections.abc import Callable

from camn.lean.camn import LeanCamn
from camn.lean.camn_at_once import CamnAtOnce
from camn.lean.in_parts import InParts
from camn.lean.known import unknown
from camn.lean.stm import LeanStm
from camn.model.interface import Network
from camn.model.network import Camn
from camn.model.stm import Stm

_Forms = dict[type[Network], Callable[..., Network]]
_LEAN: _Forms = {Camn: LeanCamn, Stm: LeanStm}
_AT_ONCE: _Forms = {Camn: CamnAtOnce, Stm: lambda network: network}  # STM is at once as it stands


def of(network: Network) -> Network:
    """The network for a processor that gains by leaving out what cannot matter, object by object: the same answers
    (within 1e-4 in probability), faster and in less memory. A network in such a form stays as it is.

    Raises TypeError, which names it, for a network or a part of one that has no such form."""
    return _formed(network, _LEAN)


def at_once(network: Network) -> Network:
    """The network for a device that runs ahead of the host: the same answers (within 1e-4 in probability), from all
    objects at once, and without a value read from the device. A network in either form stays as it is.

    Raises TypeError, which names it, for a network or a part of one that has no such form."""
    return _formed(network, _AT_ONCE)


def _formed(network: Network, forms: _Forms) -> Network:
    if isinstance(network, InParts):
        return network
    if type(network) not in forms:
        raise unknown(network, f"{', '.join(kind.__name__ for kind in forms)} are known")
    return forms[type(network)](network)
