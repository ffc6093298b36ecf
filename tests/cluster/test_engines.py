"""How many workers there are, and what each takes of a machine; none is started here."""

import os

import pytest

from camn.cluster.engines import make_workers
from camn.cluster.options import BatchOptions
from camn.cluster.ray_engine import _room, unused_gpus
from camn.errors import ConfigError


def seen(workers):
    return [worker._environment.get("CUDA_VISIBLE_DEVICES") for worker in workers]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be taken away here")
def test_as_many_as_the_cores_this_process_may_use():
    """Of a machine with 128 of them, say, Slurm gives some."""
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert len(make_workers(BatchOptions(cpus_per_worker=1), 99, "cpu")) == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert len(make_workers(BatchOptions(cpus_per_worker=1), 99, "cpu")) == len(cores)
    assert len(make_workers(BatchOptions(cpus_per_worker=10_000), 99, "cpu")) == 1
    assert len(make_workers(BatchOptions(workers=7), 3, "cpu")) == 3


def on_gpus(tasks=9, device="auto", gpus=("4", "5", "7"), **options):
    """Which GPU each worker of a machine with these sees, and what is said of them."""
    said = []
    return seen(make_workers(BatchOptions(**options), tasks, device, said.append, gpus)), said


def test_each_worker_has_a_gpu_in_turn():
    for device in ("auto", "cuda"):
        assert on_gpus(device=device) == (["4", "5", "7"], ["3 of 3 GPUs for 3 workers"])
        assert on_gpus(tasks=2, device=device) == (["4", "5"], ["2 of 3 GPUs for 2 workers"])
        assert on_gpus(device=device, workers=5)[0] == ["4", "5", "7", "4", "5"]
    assert on_gpus(gpus_per_worker=0.5) == (["4", "4", "5", "5", "7", "7"], ["3 of 3 GPUs for 6 workers"])
    assert on_gpus(gpus_per_worker=0.5, workers=3)[0] == ["4", "4", "5"]
    assert on_gpus(gpus_per_worker=1, tasks=1)[0] == ["4"]


def test_gpus_that_are_not_wanted_are_not_seen():
    assert on_gpus(gpus_per_worker=0, workers=2) == (["", ""], [])
    assert on_gpus(device="cpu", workers=2) == (["", ""], [])
    assert on_gpus(device="cuda:1", workers=2) == ([None, None], [])


def test_without_a_gpu():
    cores = len(make_workers(BatchOptions(), 99, "cpu"))
    assert on_gpus(gpus=()) == ([""] * min(9, cores), [])
    assert on_gpus(gpus=(), workers=2) == (["", ""], [])
    with pytest.raises(ConfigError, match="this machine has no CUDA device; leave it out"):
        on_gpus(gpus=(), gpus_per_worker=1)


def test_those_of_this_machine():
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    assert len(set(seen(make_workers(BatchOptions(workers=3), 9))) - {""}) == min(3, found)


def test_gpus_of_a_ray_cluster_are_taken_when_asked_for_or_named():
    machines = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 4.0}]
    assert "GPUs, 2 now, are not used: give --gpus-per-worker 1" in unused_gpus(machines, BatchOptions(engine="ray"))
    assert not unused_gpus(machines[1:], BatchOptions(engine="ray"))
    assert not any(unused_gpus(machines, BatchOptions(engine="ray", gpus_per_worker=share)) for share in (0, 0.5))


def test_room_on_a_machine_of_a_ray_cluster():
    have = {"CPU": 7.0, "GPU": 2.0, "memory": 10 * 2.0**30}
    assert _room(have, BatchOptions(engine="ray")) == 3
    assert _room(have, BatchOptions(engine="ray", memory_limit=4)) == 2
    assert _room(have, BatchOptions(engine="ray", cpus_per_worker=1, gpus_per_worker=0.3)) == 6
    assert _room({"CPU": 1.0}, BatchOptions(engine="ray")) == _room({}, BatchOptions(engine="ray")) == 0
    assert BatchOptions(memory_limit=4, gpus_per_worker=0.5).needs == "2 CPUs and 0.5 GPUs and 4 GiB of memory"
