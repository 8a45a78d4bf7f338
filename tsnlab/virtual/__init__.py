"""The virtual lab: a user-mode Linux kernel in virtual time, its network, and the agent inside."""
