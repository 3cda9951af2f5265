import pytest

from qctrl import ProviderService
from qctrl.instruments.qblox import ClusterWiring

PAIR2 = ClusterWiring(
    {2: "QCM-RF", 4: "QCM", 6: "QRM-RF"},
    {
        "q0.drive": (2, 1),
        "q1.drive": (2, 2),
        "q0.flux": (4, 1),
        "q1.flux": (4, 2),
        "c01.flux": (4, 3),
        "f0.readout": (6, 1),
        "f0.acquire": (6, 1),
    },
)
FLUX = ["q0", "q1", "q2", "q3", "q4", "c01", "c12", "c23", "c34"]
CHAIN5 = ClusterWiring(
    {1: "QCM-RF", 2: "QCM-RF", 3: "QCM-RF", 4: "QCM", 5: "QCM", 6: "QCM", 7: "QRM-RF", 8: "QRM-RF"},
    {
        **{f"q{k}.drive": (1 + k // 2, 1 + k % 2) for k in range(5)},
        **{f"{name}.flux": (4 + k // 4, 1 + k % 4) for k, name in enumerate(FLUX)},
        "f0.readout": (7, 1),
        "f0.acquire": (8, 1),
    },
)


@pytest.fixture(scope="session")
def service():
    return ProviderService()


@pytest.fixture(scope="session")
def pair2(service):
    return service.backend("pair2")


@pytest.fixture(scope="session")
def chain5(service):
    return service.backend("chain5")
