"""The endpoint for scripts: plain numbers, and errors that the client sees."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


def test_every_batch_is_one_plain_record(client):
    job = client.submit({"batches": 3, "batch_size": 8, "seed": 5}, api_name="/experiment")
    job.result(timeout=60)
    records = job.outputs()
    assert [(one["batch"], one["batches"]) for one in records] == [(1, 3), (2, 3), (3, 3)]
    assert set(records[0]["methods"]) == {"zero_shot", "tent", "cliptta"}
    assert all(isinstance(one["methods"]["tent"]["accuracy"], float) for one in records)
    assert records[0]["methods"]["tent"]["auroc"] is None


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"batchez": 1}, "Unknown setting 'batchez'. Did you mean 'batches'"),
        ({"corruption": "fgo"}, "Did you mean 'fog'"),
        ({"batches": "many"}, "batches must be a number"),
        ({"methods": {"tent": {"lr": 7}}}, "lr must be"),
    ],
)
def test_what_is_wrong_is_an_error_that_the_client_sees(client, settings, said):
    with pytest.raises(AppError, match=said):
        client.predict(settings, api_name="/experiment")
