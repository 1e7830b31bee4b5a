"""OpenAI's asynchronous client: many calls at once, and calls that are cancelled."""

import asyncio

import pytest


def test_many_calls_at_once_each_get_their_own_answer(connect_async):
    async def ask(client, number):
        completion = await client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": f"question {number}."}]
        )
        return f"question {number}." in completion.choices[0].message.content

    async def run():
        async with connect_async() as client:
            return await asyncio.gather(*(ask(client, number) for number in range(100)))

    assert all(asyncio.run(run()))


def test_many_streams_at_once_are_not_mixed(connect_async):
    async def ask(client, number):
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": f"question {number}."}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        return f"question {number}." in text

    async def run():
        async with connect_async("tps=500") as client:
            return await asyncio.gather(*(ask(client, number) for number in range(50)))

    assert all(asyncio.run(run()))


def test_a_cancelled_stream_ends_the_providers_call(connect_async, messages, simulator, wait_until):
    async def run():
        async with connect_async("tokens=100000,tps=50") as client:
            first = asyncio.Event()

            async def read():
                async for _ in await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True):
                    first.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(first.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    wait_until(lambda: simulator.last_request()["end"] == "aborted", "the provider's call has ended", limit=2)
