"""How many workers there are, and what each takes of a machine; none is started here."""

import os

import pytest

from camn.cluster import engines
from camn.cluster.engines import make_workers
from camn.cluster.options import BatchOptions
from camn.cluster.ray_engine import _room
from camn.errors import ConfigError


def seen(workers):
    return [worker._environment.get("CUDA_VISIBLE_DEVICES") for worker in workers]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be taken away here")
def test_as_many_as_the_cores_this_process_may_use():
    """Of a machine with 128 of them, say, Slurm gives some."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert len(make_workers(BatchOptions(cpus_per_worker=1), 99)) == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert len(make_workers(BatchOptions(cpus_per_worker=1), 99)) == len(cores)
    assert len(make_workers(BatchOptions(cpus_per_worker=10_000), 99)) == 1
    assert len(make_workers(BatchOptions(workers=7), 3)) == 3


def test_gpus_are_shared_out_and_not_taken_unasked(monkeypatch):
    assert seen(make_workers(BatchOptions(workers=2), 9)) == ["", ""]
    assert seen(make_workers(BatchOptions(workers=1), 9, device="cuda:1")) == [None]
    monkeypatch.setattr(engines, "_gpus", lambda: ["4", "5"])
    assert seen(make_workers(BatchOptions(gpus_per_worker=0.5), 9)) == ["4", "4", "5", "5"]
    assert seen(make_workers(BatchOptions(gpus_per_worker=1), 1)) == ["4"]


def test_without_a_gpu():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(ConfigError, match="this machine has no CUDA device; leave it out"):
        make_workers(BatchOptions(gpus_per_worker=1), 1)


def test_room_on_a_machine_of_a_ray_cluster():
    have = {"CPU": 7.0, "GPU": 2.0, "memory": 10 * 2.0**30}
    assert _room(have, BatchOptions(engine="ray")) == 3
    assert _room(have, BatchOptions(engine="ray", memory_limit=4)) == 2
    assert _room(have, BatchOptions(engine="ray", cpus_per_worker=1, gpus_per_worker=0.3)) == 6
    assert _room({"CPU": 1.0}, BatchOptions(engine="ray")) == _room({}, BatchOptions(engine="ray")) == 0
    assert BatchOptions(memory_limit=4, gpus_per_worker=0.5).needs == "2 CPUs and 0.5 GPUs and 4 GiB of memory"
