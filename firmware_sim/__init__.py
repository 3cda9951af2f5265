"""Emulated instrument: plays packed programs on the physics of a device, behind the wire of the real one."""
