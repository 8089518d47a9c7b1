"""The alarm that ends a task's code: it sounds until it is heard, once."""

from __future__ import annotations

import signal
import threading

from appliance.engine.deadlines import _AGAIN, _alarm


def test_it_sounds_again_until_it_is_heard_and_then_no_more() -> None:
    """A signal that comes between a thread's last look and its wait for a lock is not acted on; the next one ends the wait."""
    heard, again = threading.Event(), []

    def ring() -> None:
        again.append(signal.getitimer(signal.ITIMER_REAL))
        heard.set()

    with _alarm(0.05, ring):
        assert signal.getitimer(signal.ITIMER_REAL)[1] == _AGAIN
        assert heard.wait(20)
        assert again == [(0.0, 0.0)]


def test_an_outer_alarm_goes_on_as_it_was() -> None:
    with _alarm(60, lambda: None):
        with _alarm(30, lambda: None):
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 30
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        assert 30 < left <= 60
        assert interval == _AGAIN
