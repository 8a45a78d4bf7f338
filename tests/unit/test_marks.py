"""Marks are taken out of a stream however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from tsnlab.hosts.marks import Marks


@given(st.lists(st.sampled_from([b"[mark]", b"[other]", b"text", b"[", b"]"])), st.data())
def test_what_is_between_the_marks_stays(pieces, data):
    whole = b"".join(pieces)
    marks = Marks(["[mark]", "[other]"])
    out, position = b"", 0
    while position < len(whole):
        size = data.draw(st.integers(1, 8))
        out += marks.feed(whole[position : position + size])
        position += size
    out += marks.rest()
    assert out == whole.replace(b"[mark]", b"").replace(b"[other]", b"")


def test_marks_are_counted_apart():
    marks = Marks(["[mark]", "[other]"])
    assert marks.feed(b"a[mark]b[oth") == b"ab"
    assert marks.feed(b"er]c[mark]") == b"c"
    assert marks.seen == {"[mark]": 2, "[other]": 1}
    assert marks.rest() == b""
