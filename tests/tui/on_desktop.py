"""Run by `test_notifications` in the session of a message bus: a desktop that shows notices, and a sender of one."""

# ruff: noqa: F722, F821, N802, PLR0917 - names and annotations are those of the bus

import asyncio
import os

from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, method, signal

from jobdeck.tui.notifications import Notifier


class Desktop(ServiceInterface):
    """What every desktop offers: https://specifications.freedesktop.org/notification-spec."""

    @method()
    def Notify(
        self,
        app: "s",
        replaces: "u",
        icon: "s",
        summary: "s",
        body: "s",
        actions: "as",
        hints: "a{sv}",
        timeout: "i",
    ) -> "u":
        print(f"{summary}: {body}", flush=True)
        return 1

    @method()
    def GetCapabilities(self) -> "as":
        return ["body"]

    @method()
    def GetServerInformation(self) -> "ssss":
        return ["test", "jobdeck", "1", "1.2"]

    @method()
    def CloseNotification(self, id_: "u"):
        pass

    @signal()
    def NotificationClosed(self) -> "uu":
        return [1, 1]

    @signal()
    def ActionInvoked(self) -> "us":
        return [1, "default"]


async def main() -> None:
    if "NOBODY_LISTENS" not in os.environ:
        bus = await MessageBus().connect()
        bus.export("/org/freedesktop/Notifications", Desktop("org.freedesktop.Notifications"))
        await bus.request_name("org.freedesktop.Notifications")
    written: list[str] = []
    complaints: list[str] = []
    herald = Notifier(written.append, {"TERM": "xterm"}, complaints.append)
    herald.send("op_a failed")
    await asyncio.gather(*herald._tasks)
    print(repr("".join(written)))
    print(f"{len(complaints)} complaint{'s' if len(complaints) != 1 else ''}")


asyncio.run(main())
