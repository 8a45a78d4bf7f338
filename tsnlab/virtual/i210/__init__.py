"""The Intel I210 (8086:157b), the guide's NIC, as the kernel's unmodified igb driver sees it.

Sources, cited where they are used: the driver (drivers/net/ethernet/intel/igb, Linux 6.12) and the *Intel Ethernet
Controller I210 Data Sheet*, revision 3.7 (by section).
"""
