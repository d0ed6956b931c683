"""Who takes part in a training over hosts."""

from __future__ import annotations

import pytest

from captioner.errors import ConfigError
from training.hosts.places import Place, find_place

THREE = "a.lan:8476,10.0.0.2:8477,[fe80::1]:8478"
ADDRESSES = tuple(THREE.split(","))
SLURM = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "n[01-04]"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_MCA_orte_hnp_uri": "1.0;tcp://10.0.0.1:34911",
}


@pytest.mark.parametrize(
    ("hosts", "index", "environment", "place"),
    [
        (None, None, {}, None),
        ("a.lan:8476", 0, {}, None),
        (THREE, 2, {}, Place(2, 3, ADDRESSES)),
        (THREE, 1, {"SLURM_PROCID": "2"}, Place(1, 3, ADDRESSES)),
        (THREE, None, {"SLURM_PROCID": "2"}, Place(2, 3, ADDRESSES)),
        (THREE, None, {"OMPI_COMM_WORLD_RANK": "1"}, Place(1, 3, ADDRESSES)),
        (THREE, None, {"JOB_COMPLETION_INDEX": "0"}, Place(0, 3, ADDRESSES)),
        (None, None, SLURM, Place(1, 4)),
        (None, None, OPEN_MPI, Place(0, 2)),
        (None, None, {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, None),  # a batch script, which srun did not start
        (None, None, {**SLURM, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, None),
        (None, None, {"JOB_COMPLETION_INDEX": "3"}, None),  # Kubernetes does not say how many there are
    ],
)
def test_place(hosts, index, environment, place):
    assert find_place(hosts, index, environment) == place


@pytest.mark.parametrize(
    ("hosts", "index", "environment", "said"),
    [
        (None, 1, {}, "--host-index 1 needs --hosts"),
        ("a:1, b:2", 0, {}, "' b:2'"),
        ("a:1,b", 0, {}, "'b'"),
        ("a:1,b:70000", 0, {}, "'b:70000'"),
        ("a:1,a:1", 0, {}, "twice"),
        (THREE, 3, {}, "0 to 2"),
        (THREE, -1, {}, "0 to 2"),
        (THREE, None, {}, "JOB_COMPLETION_INDEX (Kubernetes)"),
        (THREE, None, {"SLURM_PROCID": "first"}, "'first'"),
        (None, None, {**SLURM, "SLURM_PROCID": "4"}, "SLURM_PROCID is 4"),
        (None, None, {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}, "OMPI_MCA_orte_hnp_uri"),
    ],
)
def test_what_is_wrong_is_named(hosts, index, environment, said):
    with pytest.raises(ConfigError) as caught:
        find_place(hosts, index, environment)
    assert said in str(caught.value)


def test_a_host_is_named_by_its_address():
    assert Place(0, 3, ADDRESSES).name(1) == "host 1 (10.0.0.2:8477)"
    assert Place(0, 3).name(1) == "host 1"
