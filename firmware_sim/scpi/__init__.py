"""The emulator as a rack of ordinary instruments: SCPI over TCP, on one bench and one chip."""
