"""A stopping server holds newcomers until nobody follows them."""

from __future__ import annotations

import asyncio
import time

from recocore.service.gate import Gate


def test_who_comes_late_on_a_busy_machine_is_held_as_well() -> None:
    async def main() -> list[str]:
        gate, seen = Gate(), []

        async def caller() -> None:
            gate.arrive()
            seen.append("arrived")
            await gate.opened()
            seen.append("went on")

        holding = asyncio.ensure_future(gate.hold(at_most=60))
        await asyncio.sleep(0)
        # The loop got no processor for longer than a look takes; what arrived meanwhile is told of in its next turns.
        time.sleep(0.15)
        late = asyncio.get_running_loop().create_task(asyncio.sleep(0.02))
        await late
        calling = asyncio.ensure_future(caller())
        await holding
        seen.append("quiet")
        gate.release()
        await calling
        return seen

    assert asyncio.run(main()) == ["arrived", "quiet", "went on"]


def test_callers_that_never_fall_quiet_are_not_waited_for() -> None:
    async def main() -> None:
        gate = Gate()
        assert gate.arrive()

        async def call_on() -> None:
            while True:
                gate.arrive()
                await asyncio.sleep(0.001)

        calling = asyncio.ensure_future(call_on())
        await gate.hold(at_most=0.05)
        assert not gate.arrive()
        calling.cancel()

    asyncio.run(main())
