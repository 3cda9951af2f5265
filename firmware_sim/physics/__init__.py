"""The physics behind the emulator."""
