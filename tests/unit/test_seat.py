"""Each virtual lab has a processor of its own, as long as there is one."""

import os

from tsnlab.virtual.seat import Seat


def test_no_two_labs_share_a_processor_and_one_too_many_is_bound_to_none(tmp_path):
    processors = os.sched_getaffinity(0)
    seats = [Seat(tmp_path) for _ in processors]
    assert {seat.cpu for seat in seats} == processors
    assert Seat(tmp_path).cpu is None
    freed = seats[0].cpu
    seats[0].release()
    assert Seat(tmp_path).cpu == freed
