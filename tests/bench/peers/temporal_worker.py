"""A worker of Temporal: temporal_worker.py ADDRESS."""

import asyncio
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def step() -> int:
    return 1


@activity.defn
async def note(file: str) -> int:
    with open(file, "a") as notes:
        notes.write(f"{time.time()}\n")
    await asyncio.sleep(0.02)
    return 1


SOON = timedelta(seconds=10)


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, count: int) -> int:
        for _ in range(count):
            await workflow.execute_activity(step, start_to_close_timeout=SOON)
        return count


@workflow.defn
class Notes:
    @workflow.run
    async def run(self, count: int, file: str) -> int:
        for _ in range(count):
            await workflow.execute_activity(note, file, start_to_close_timeout=SOON)
        return count


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


async def main():
    client = await Client.connect(sys.argv[1])
    worker = Worker(
        client,
        task_queue="bench",
        workflows=[Steps, Notes, Waits],
        activities=[step, note],
        max_concurrent_activities=200,
        max_concurrent_workflow_tasks=200,
    )
    print("ready", flush=True)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
