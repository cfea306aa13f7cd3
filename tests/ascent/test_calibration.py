"""How fast this machine does each kind of work."""

import pytest

from atlas.ascent import calibration
from atlas.spec import machine
from atlas.spec.pace import TIMED


def test_a_calibration_is_kept_and_every_kind_has_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calibration.calibrate()
    pace = machine.measured()["fast"]
    assert 1e-12 < pace.kinds.wide < 1e-9  # between 4 TFLOP/s and 4 GFLOP/s
    assert pace.kinds.curved > 5 * pace.kinds.wide  # an exponential takes longer than a multiply-add


@pytest.mark.parametrize("arithmetic", ["fast", "bfloat16"])
def test_what_is_timed_is_what_counts(arithmetic):
    timed = calibration.kinds(arithmetic)
    assert set(timed) == set(TIMED)
    for one in timed.values():
        values = calibration.drawn(one)
        assert calibration.forward_and_back(one.function, values).shape == values.shape
