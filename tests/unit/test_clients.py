import pytest

from shared.platform import clients
from shared.platform.errors import SetupError


@pytest.mark.parametrize("service", ["K_SERVICE", "CLOUD_RUN_JOB"])
@pytest.mark.parametrize("variable", clients.EMULATORS)
def test_an_emulator_in_a_deployed_service_is_refused(
    monkeypatch: pytest.MonkeyPatch, service: str, variable: str
) -> None:
    """A forgotten emulator variable must not send production's data elsewhere."""
    monkeypatch.setenv(service, "ingest")
    monkeypatch.setenv(variable, "127.0.0.1:1")
    with pytest.raises(SetupError, match=variable):
        clients.emulator(variable)


def test_an_emulator_on_a_laptop_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside Cloud Run the variable is what the clients read."""
    monkeypatch.delenv("K_SERVICE", raising=False)
    monkeypatch.delenv("CLOUD_RUN_JOB", raising=False)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    assert clients.emulator("PUBSUB_EMULATOR_HOST") == "127.0.0.1:1"
