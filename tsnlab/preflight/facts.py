"""What a node says about itself, gathered by one command that changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsnlab.hosts import Host
from tsnlab.kata_config import FILES

# `help` behind a qdisc's name prints its usage, and adds nothing
_SCRIPT = r"""
ask() { echo "== $1"; shift; "$@" 2>&1 || echo "== status $?"; }
ask user id -u
ask kernel uname -r
for tool in tc:-V ip:-V ethtool:--version ptp4l:-v phc2sys:-v iperf3:--version python3:--version \
            kata-runtime:--version docker:--version nerdctl:--version ctr:--version; do
  ask "${tool%%:*}" "${tool%%:*}" "${tool#*:}"
done
ask taprio tc qdisc add dev lo root taprio help
ask etf tc qdisc add dev lo root etf help
ask config sh -c 'if [ -r /proc/config.gz ]; then gunzip -c /proc/config.gz; else cat "/boot/config-$(uname -r)"; fi'
ask modules sh -c 'for name; do modinfo -F filename "$name" && echo "$name"; done' \
  sh sch_taprio sch_etf sch_mqprio 8021q ptp
ask tai python3 -c 'import time; print(round(time.clock_gettime(11) - time.clock_gettime(0)))'
ask processes ps -eo comm
ask managed nmcli -t -f DEVICE,STATE device
ask governor sh -c 'cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'
ask idle sh -c 'cd /sys/devices/system/cpu/cpu0/cpuidle && for state in state*; do
  echo "$(cat $state/latency) $(cat $state/disable) $(cat $state/name)"
done'
ask disk df -Pk /tmp
ask kata-config sh -c 'for file; do [ -f "$file" ] && echo "$file" && exec cat "$file"; done; exit 1' sh $KATA
for interface; do
  ask "link:$interface" cat "/sys/class/net/$interface/ifindex"
  ask "driver:$interface" ethtool -i "$interface"
  ask "stamps:$interface" ethtool -T "$interface"
  ask "queues:$interface" ls "/sys/class/net/$interface/queues"
  ask "eee:$interface" ethtool --show-eee "$interface"
  ask "coalesce:$interface" ethtool -c "$interface"
  ask "id:$interface" cat "/sys/class/net/$interface/device/vendor" "/sys/class/net/$interface/device/device"
done
exit 0
"""


@dataclass(frozen=True)
class Facts:
    """The answers of a node.

    Attributes:
        real: whether it is a machine, and not a node of the virtual lab.
        answers: what each question printed, for those that were answered.
    """

    node: str
    interfaces: tuple[str, ...]
    real: bool
    answers: dict[str, str]

    def get(self, question: str) -> str | None:
        """An answer; None if there is none."""
        return self.answers.get(question)


def gather(node: str, host: Host, interfaces: Sequence[str]) -> Facts:
    """Asks a node everything that preflight wants to know.

    Raises:
        HostError, DeadlineError: the node cannot be reached, or does not answer in time.
    """
    script = _SCRIPT.replace("$KATA", " ".join(FILES))
    result = host.run(["sh", "-c", script, "facts", *interfaces], timeout=20)
    return Facts(node, tuple(interfaces), getattr(host, "concurrent", False), parse(result.stdout))


def parse(text: str) -> dict[str, str]:
    """The answers in what the node printed; a question whose command failed has none, but for a qdisc's usage."""
    answers = {}
    for part in re.split(r"(?m)^== (?!status )", text)[1:]:
        question, _, answer = part.partition("\n")
        body, failed, _ = answer.partition("== status ")
        if not failed or question in ("taprio", "etf"):
            answers[question] = body.strip()
    return answers
