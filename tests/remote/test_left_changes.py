"""Changes that a notebook of preparation leaves on machines, and `tsnlab undo`; over a real sshd."""

import yaml

from tests.remote.conftest import plain_user
from tsnlab.cli import main
from tsnlab.hardware import HardwareLab
from tsnlab.journal import JOURNAL, LEFT
from tsnlab.lab import LABS, load_lab_file
from tsnlab.teardown import restore_if_needed


def test_they_outlive_lab_and_run_and_are_taken_back_on_demand(sshd, tmp_path, monkeypatch, capsys):
    content = yaml.safe_load((LABS / "hardware.yaml").read_text())
    content["nodes"]["node2"] |= {"ssh": f"{plain_user()}@127.0.0.1", "sudo": False}
    file = tmp_path / "lab.yaml"
    file.write_text(yaml.safe_dump(content))
    config = sshd.config(plain_user())
    monkeypatch.setattr(HardwareLab.__init__, "__defaults__", (None, config))
    run = tmp_path / "run"
    run.mkdir()
    with HardwareLab(load_lab_file(file), run) as lab:
        change = lab.host("node2").run(["mktemp"]).stdout.strip()
        lab.journal.will_change("node2", ["rm", change])
        assert lab.journal.leave() == 1
    restore_if_needed(run, str(file))
    with HardwareLab(load_lab_file(file)) as lab:
        assert lab.host("node2").run(["test", "-e", change], check=False).returncode == 0
    assert not (run / JOURNAL).exists()
    assert main(["undo", str(run), "--lab", str(file)]) == 0
    assert capsys.readouterr().out == "1 changes taken back\n"
    assert not (run / LEFT).exists()
    with HardwareLab(load_lab_file(file)) as lab:
        assert lab.host("node2").run(["test", "-e", change], check=False).returncode == 1
