"""The journal: written before, unwound newest first, and good after a crash."""

import pytest

from tsnlab.errors import CommandError, ConfigError, HostError
from tsnlab.hosts.local import LocalHost
from tsnlab.journal import LEFT, Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def _note(tmp_path, word):
    return ["sh", "-c", f"echo {word} >> {tmp_path}/log"]


def test_what_another_process_has_left_is_undone_newest_first(path, tmp_path):
    journal = Journal(path)
    journal.will_change("here", _note(tmp_path, "first"))
    journal.will_change("here", _note(tmp_path, "second"))
    Journal.read(path).unwind(LocalHost)
    assert (tmp_path / "log").read_text() == "second\nfirst\n"
    assert not path.exists()


def test_an_entry_that_was_cut_short_is_of_no_change(path, tmp_path):
    Journal(path).will_change("here", _note(tmp_path, "whole"))
    with path.open("a") as file:
        file.write('{"node": "here", "un')
    assert len(Journal.read(path)) == 1


def test_a_node_that_does_not_answer_keeps_its_part(path, tmp_path):
    journal = Journal(path)
    journal.will_change("here", _note(tmp_path, "done"))
    journal.will_change("away", ["true"])

    def host(node):
        if node == "away":
            raise HostError("away: no connection")
        return LocalHost(node)

    with pytest.raises(HostError, match="away"):
        journal.unwind(host)
    assert (tmp_path / "log").read_text() == "done\n"
    assert [node for node, _ in Journal.read(path)._undo] == ["away"]


def test_a_command_that_fails_does_not_keep_the_others_from_being_run(path, tmp_path):
    journal = Journal(path)
    journal.will_change("here", _note(tmp_path, "done"))
    journal.will_change("here", ["false"])
    with pytest.raises(CommandError, match="may not be as it was"):
        journal.unwind(LocalHost)
    assert (tmp_path / "log").read_text() == "done\n"


def test_without_a_journal_it_is_said(path):
    with pytest.raises(ConfigError, match="nothing is to be undone"):
        Journal.read(path)
    path.write_text("no\n")
    with pytest.raises(ConfigError, match="not a journal"):
        Journal.read(path)


def test_what_is_left_stays_and_is_undone_from_the_disk(path, tmp_path):
    journal = Journal(path)
    journal.will_change("here", _note(tmp_path, "undone"))
    assert journal.leave() == 1
    journal.unwind(LocalHost)
    assert not (tmp_path / "log").exists()
    assert not path.exists(), "whoever finds a journal after a run takes it back"
    Journal.read(path.with_name(LEFT)).unwind(LocalHost)
    assert (tmp_path / "log").read_text() == "undone\n"
