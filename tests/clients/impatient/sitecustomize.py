"""Python loads this by itself if the directory is on its path: AWS CLI looks again after 30 s, here after half a second."""

import time

_sleep = time.sleep


def _sleep_briefly(seconds: float) -> None:
    _sleep(min(seconds, 0.5))


time.sleep = _sleep_briefly
