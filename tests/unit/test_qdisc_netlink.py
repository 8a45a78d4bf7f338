"""What is sent over netlink is, byte for byte, what tc sends for the same value; tc's messages are caught."""

import os
import shutil
import subprocess

import pytest

from tests.unit.schedules import MANUAL, MANUAL_CBS, MANUAL_ETF, MANUAL_MQPRIO, generated
from tsnlab.case import load_case
from tsnlab.qdisc import kernel, netlink, plain
from tsnlab.schedule import Cbs, Etf, Mqprio

CATCHER = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <dlfcn.h>
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    FILE *file = fopen(getenv("CAUGHT"), "wb");
    for (size_t i = 0; i < message->msg_iovlen; i++)
        fwrite(message->msg_iov[i].iov_base, 1, message->msg_iov[i].iov_len, file);
    fclose(file);
    return real(fd, message, flags);
}
"""
BASE = 1588076872000000000
GUIDE = load_case("case2")
MAP = [0, 1, *[0] * 14]

pytestmark = pytest.mark.skipif(not (shutil.which("tc") and shutil.which("gcc")), reason="needs tc and gcc")


@pytest.fixture(scope="module")
def tc(tmp_path_factory):
    """Gives the request body that tc sends, whatever the kernel makes of it; the interface's index as 0."""
    folder = tmp_path_factory.mktemp("catcher")
    (folder / "catcher.c").write_text(CATCHER)
    library, caught = folder / "catcher.so", folder / "caught"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, folder / "catcher.c", "-ldl"], check=True)

    def body(arguments):
        caught.unlink(missing_ok=True)
        argv = ["tc", "qdisc", "replace", "dev", "lo", "parent", *arguments]
        environment = {**os.environ, "LD_PRELOAD": str(library), "CAUGHT": str(caught)}
        # an ordinary user may not, and this kernel may not have the qdisc: what counts is what was sent
        run = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert caught.exists(), run.stderr
        sent = caught.read_bytes()[16:]
        return sent[:4] + bytes(4) + sent[8:]

    return body


def test_the_guides_schedule(tc):
    request = kernel.taprio(GUIDE.taprio, BASE, "100")
    assert request.body == tc(request.tc)


@pytest.mark.parametrize("name", MANUAL)
def test_the_schedules_of_the_manual_page(tc, name):
    value, base, said = MANUAL[name]
    request = kernel.taprio(value, base, "100")
    assert request.body == tc(request.tc)
    # in the page's own words as well; our size table is an addition, see tc-stab(8)
    assert request.body == tc(["root", "handle", "100", "stab", "overhead", "24", *said.split()])


def test_generated_schedules(tc):
    said_by_tc = 0
    for seed in range(400):
        value, base = generated(seed)
        if value.max_sdu or any(entry.command != "S" for entry in value.schedule):
            continue  # older versions of tc cannot say it
        request = kernel.taprio(value, base, "1")
        assert request.body == tc(request.tc), value
        said_by_tc += 1
    assert said_by_tc > 20


def test_the_other_qdiscs_of_the_manual_pages(tc):
    for value, said in MANUAL_ETF.values():
        assert kernel.etf(value, "100:1", offload=True).body == tc(["100:1", *said.split()])
    value, said = MANUAL_MQPRIO
    assert netlink.mqprio(value, "100") == tc(["root", "handle", "100:", *said.split()])
    value, said = MANUAL_CBS
    assert netlink.cbs(value, "100:4") == tc(["100:4", *said.split()])


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("flags", [{}, {"deadline_mode": True}, {"skip_sock_check": True}])
def test_etf(tc, offload, flags):
    request = kernel.etf(Etf(delta="2 us", offload_delta="5 ms", **flags), "100:2", offload)
    assert request.body == tc(request.tc)


@pytest.mark.parametrize(
    "value",
    [
        Mqprio(map=MAP, queues=["1@0", "3@1"]),
        Mqprio(
            map=MAP,
            queues=["1@0", "1@1"],
            hardware=True,
            mode="channel",
            shaper="bw_rlimit",
            min_rate=[10**9, 2 * 10**9],
            max_rate=[4 * 10**9, 5 * 10**9],
        ),
    ],
)
def test_mqprio(tc, value):
    assert netlink.mqprio(value, "1") == tc(["root", *value.to_tc("1")])


def test_cbs(tc):
    value = Cbs.for_share(98_688, 1_000_000, 1542)
    assert netlink.cbs(value, "1:1") == tc(["1:1", *value.to_tc()])


def test_a_pending_schedule_is_read_although_an_old_tc_prints_invalid_json():
    text = '[{"kind":"taprio","options":{"cycle_time":0,"cycle_time_extension":0,{"base_time":5,"cycle_time":9}}}]'
    assert plain.parse(text)[0]["options"]["admin"]["base_time"] == 5
