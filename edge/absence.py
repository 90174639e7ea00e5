"""Whether a server is there, as a person wants to know it: once when it has been away for long or refuses, and once when it is back.

Takes what became of each attempt, gives what to say, if anything. It waits for nothing and knows no gRPC.
"""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True)
class Absence:
    """What is known of one server, as one station sees it.

    Attributes:
        where: the server's address.
        alarm_after_s: an absence shorter than this is not worth a person's time.
        failures: attempts in a row that failed.
    """

    where: str
    alarm_after_s: float
    failures: int = 0
    _since: float | None = field(default=None, init=False)
    _told: str = field(default="", init=False)

    def failed(self, now_s: float, why: str, *, waiting: int, lasting: bool) -> str | None:
        """An attempt failed.

        Args:
            waiting: parts that the server does not have.
            lasting: trying again will not help until a person has done something.
        """
        self.failures += 1
        self._since = now_s if self._since is None else self._since
        if lasting:
            text = f"{why}; results wait in the ledger"
            new, self._told = text != self._told, text
            return text if new else None
        away_s = now_s - self._since
        if self._told or away_s < self.alarm_after_s:
            return None
        self._told = why
        return f"{self.where} has been away for {_span(away_s)}, {waiting} results wait in the ledger: {why}"

    def answered(self, now_s: float, *, waiting: int) -> str | None:
        """An attempt went well."""
        since, told = self._since, self._told
        self._since, self._told, self.failures = None, "", 0
        if since is None or not told:
            return None
        return f"{self.where} is back after {_span(now_s - since)}; {waiting} results wait to be sent"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
