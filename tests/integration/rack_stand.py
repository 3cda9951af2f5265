"""An emulated rack and its driver, without a runner between them."""

from __future__ import annotations

import uuid

from qctrl.config import load_rack
from qctrl.instruments import open_boxes
from qctrl.protocol import Run
from tests.integration.rack_bench import RackBench

SHOTS = 20
TIMEOUT_S = 1.0
WARM_UP_S = 60.0


class Stand:
    """A bench and its driver; deadlines are short, so that tests of what never comes are too."""

    def __init__(self, folder, setup, program):
        self.bench = RackBench(folder)
        self.driver = open_boxes(load_rack(self.bench.path), "pair2", run_slack_s=WARM_UP_S)
        self.setup, self.program = setup, program
        self.epoch = self.driver.connect().epoch + 1
        self.play()  # the emulator may have to compile its kernels
        self.driver._run_slack_s = 1.0
        for name in self.bench.instruments:
            self.session(name)._timeout_s = TIMEOUT_S

    def session(self, name):
        return self.driver._boxes[name].session

    def run_of(self, program, **changes):
        identity = (uuid.uuid4().hex, self.epoch, program.setup_hash.hex(), program.hash.hex())
        return Run(*identity, "", 0, 1, 0, SHOTS, 0, **changes)

    def play(self, program=None, setup=None, **changes):
        """Do what a job does, and return its blocks."""
        program = program or self.program
        run = self.run_of(program, **changes)
        self.driver.configure(setup or self.setup)
        self.driver.load(program, None)
        self.driver.start(run)
        blocks, found = [], None
        while found is None or found.progress.state == "running" or found.results is not None:
            found = self.driver.fetch(run.run_id, len(blocks), 0.2)
            blocks += [] if found.results is None else [found.results]
        return blocks

    def close(self):
        self.driver.close()
        self.bench.close()
