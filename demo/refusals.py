"""What the server says to whom it does not serve."""

from __future__ import annotations


class Refused(Exception):
    """A request that goes no further: its status, and what a person is told."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status, self.text = status, text


BUSY = Refused(503, "The server is busy; try again in a moment.")
STOPPING = Refused(503, "The server is stopping; try again in a minute.")
FULL = Refused(507, "The server has no room for more photos at the moment; try again later.")
TOO_SLOW = Refused(408, "The photo took too long to arrive; try again.")
NOT_HERE = Refused(404, "There is nothing here.")
NONSENSE = Refused(400, "The server does not understand this question.")
NOT_UPLOADED = Refused(403, "That photo was not uploaded; upload it first.")
WRONG_HOST = Refused(421, "This server does not go by that name; whoever runs it can allow it with --allow-host.")
FOREIGN = Refused(403, "Another site's page may not ask this server; whoever runs it can allow it with --allow-host.")
BROKEN = Refused(500, "Something went wrong on the server.")


def too_long(limit: int) -> Refused:
    """More bytes than one request may hold."""
    return Refused(413, f"That is more than {limit / 1e6:.0f} MB at once; send fewer or smaller photos.")
