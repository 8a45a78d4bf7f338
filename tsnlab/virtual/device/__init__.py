"""What all devices of the virtual lab have in common: events, the guest's memory and rings, PCI, a clock, cables."""
