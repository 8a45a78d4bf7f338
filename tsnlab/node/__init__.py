"""The programs that run on the nodes: talker, listener and load; standard library only, Python 3.8 or later."""
