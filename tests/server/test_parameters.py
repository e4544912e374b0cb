"""Tasks with several parameters over HTTP: their payload is an object of the parameters' names."""

from tests.support.api import Api

CHARGE = "/api/v1/tasks/t-charge/trigger"


async def test_the_document_has_the_parameters_of_the_task(api: Api) -> None:
    """A generated client has an argument for each."""
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    body = document["paths"][CHARGE]["post"]["requestBody"]["content"]["application/json"]["schema"]
    payload = body["properties"]["payload"]
    assert (payload["type"], payload["required"]) == ("object", ["order_id"])
    assert list(payload["properties"]) == ["order_id", "amount", "note"]


async def test_a_trigger_takes_an_object_of_the_parameters(api: Api) -> None:
    """It is stored as it is given; one that does not fit makes no run."""
    async with api.client() as client:
        made = await client.post(CHARGE, json={"payload": {"order_id": "o1", "amount": "3.50"}})
        assert made.status_code == 200, made.text
        for wrong, words in (
            ({"amount": 1}, "order_id"),
            ({"order_id": "o", "amuont": 1}, "amuont"),
            (["o"], "object"),
        ):
            refused = await client.post(CHARGE, json={"payload": wrong})
            assert refused.status_code == 422, refused.text
            assert words in refused.text
    run = await api.flow.engine.runs.aretrieve(made.json()["id"])
    assert run.payload == {"order_id": "o1", "amount": "3.50"}
