"""The same with asyncio: fifty calls at once, one session, one login at most."""

import asyncio
import time

from _sandbox import account

from interpal import AsyncInterpalClient


async def main(username: str, password: str) -> None:
    async with AsyncInterpalClient(
        username=username, password=password, auto_login=True, persist_session=True
    ) as client:
        profile = await client.get_self()
        print(f"Hello, {profile['name']}.")

        start = time.perf_counter()
        answers = await asyncio.gather(*(client.get_self() for _ in range(50)))
        print(f"{len(answers)} answers in {time.perf_counter() - start:.2f} seconds.")

        info = await client.aget_session_info()
        if info:
            print(f"The session ends in {info['time_remaining']}.")


async def plain_calls(username: str, password: str) -> None:
    """As scripts for interpal 1.x have it: login() is a plain call, the rest is awaited."""
    client = AsyncInterpalClient(username=username, password=password, persist_session=True)
    client.login()
    profile = await client.get_self()
    print(f"Hello again, {profile['name']}.")
    await client.close()


if __name__ == "__main__":
    with account() as (username, password):
        asyncio.run(main(username, password))
        asyncio.run(plain_calls(username, password))
