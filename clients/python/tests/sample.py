"""A user's program: test_package.py type-checks it, and runs it against a server with the installed package.

Arguments: the server's address, an API key, a token.
"""

from __future__ import annotations

import asyncio
import sys

from versioner_client import (
    AsyncVersioner,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
    ValidationError,
    Versioner,
    models,
    operations,
)


def record(url: str, key: str) -> None:
    with Versioner(url, key) as client:
        for number in range(5):
            event = models.DeploymentEvent(
                product_name=f"product-{number}",
                version="1.4.2",
                environment_name="production",
                status="completed",
                extra_metadata={"number": number},
            )
            deployment = client.create_deployment_event(event)
            again: models.RecordedDeployment = client.create_deployment_event(event)
            assert (deployment.status, again.id) == ("completed", deployment.id)
        try:
            client.create_build_event(models.BuildEvent(product_name=" ", version="1"))
        except ValidationError as error:
            assert error.problems[0].loc == ["body", "product_name"], error.problems
        else:
            raise AssertionError("a blank name was accepted")


def change(url: str, token: str) -> None:
    with Versioner(url, lambda: token) as client:
        names: list[str] = [product.name for product in client.list_products(limit=2)]
        assert names == [f"product-{number}" for number in (4, 3, 2, 1, 0)], names
        (product,) = client.list_products(q="product-3")
        answer = client.send(operations.get_product(product.id))
        patch = models.ProductPatch(description="The third")
        assert client.update_product(product.id, patch, if_match=answer.etag).description == "The third"
        try:
            client.update_product(product.id, patch, if_match=answer.etag)
        except PreconditionFailed as error:
            assert error.request_id
        else:
            raise AssertionError("an old revision was changed")
        try:
            client.create_product(models.ProductCreate(name="product-1"))
        except Conflict as error:
            assert error.status == 409
        else:
            raise AssertionError("a duplicate name was accepted")
        client.delete_product(product.id)
        try:
            client.get_product(product.id)
        except NotFound:
            return
        raise AssertionError("a deleted product was found")


async def watch(url: str, token: str) -> None:
    async def fetch_token() -> str:
        return token

    async with AsyncVersioner(url, fetch_token) as client:
        deployments = [deployment async for deployment in client.list_deployments(limit=1, environment="production")]
        assert [d.extra_metadata["number"] for d in deployments] == [4, 2, 1, 0]
        assert all(d.completed_at is not None and d.completed_at.tzinfo is not None for d in deployments)
        health, state = await asyncio.gather(client.get_health(), client.get_deployment(deployments[0].id))
        assert (health.status, state) == ("ok", deployments[0])


def refuse(url: str, key: str) -> None:
    for credential, kind in (("sk_demo_k1_wrong", Unauthenticated), (key, Forbidden)):
        try:
            list(Versioner(url, credential).list_products())
        except (Unauthenticated, Forbidden) as error:
            assert type(error) is kind, error
        else:
            raise AssertionError(f"{kind.__name__} was expected")


if __name__ == "__main__":
    _, address, api_key, session_token = sys.argv
    record(address, api_key)
    change(address, session_token)
    asyncio.run(watch(address, session_token))
    refuse(address, api_key)
    print("done")
