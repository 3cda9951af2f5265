"""The real service and board on a real socket, with a rig that needs no physics."""

from __future__ import annotations

import contextlib
import threading

import numpy as np

from firmware_sim.board import Board
from firmware_sim.result_blocks import Outcome, ResultBlocks
from firmware_sim.service import Service
from qctrl.transport import Answer, Server


class OnesRig:
    """Every bit is 1; ``hold`` keeps it inside a run."""

    device = "pair2"

    def __init__(self):
        self.hold = threading.Event()
        self.hold.set()
        self.trouble = None

    def warm_up(self):
        pass

    def check(self, loaded, run):
        pass

    def play(self, loaded, active):
        while not self.hold.wait(0.01):
            active.step()
        if self.trouble is not None:
            raise self.trouble
        blocks = ResultBlocks(active, lambda: {"seed": 4})
        for binding in range(active.run.first_binding, active.run.first_binding + active.run.n_bindings):
            blocks.add(binding, active.run.first_shot, Outcome(np.ones((active.run.n_shots, 1), dtype=np.uint8)))
        blocks.flush()

    def debug(self, setup, body, buffers):
        return {"setup": setup is not None, **body}, list(buffers)


class Recorder(Service):
    """Counts verbs, and may answer hello otherwise or falsify acknowledgements."""

    def __init__(self, board):
        super().__init__(board)
        self.verbs = []
        self.changes = {}

    def handle(self, request, buffers):
        self.verbs.append(request.verb)
        answer = super().handle(request, buffers)
        if request.verb in self.changes and isinstance(answer, Answer):
            return Answer({**answer.body, **self.changes[request.verb]}, answer.buffers)
        return answer


@contextlib.contextmanager
def serving(rig, tmp_path):
    """Yield a service whose ``address`` answers."""
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    server = Server(f"ipc://{folder}/s")
    board = Board(rig, server.wake)
    service, stop = Recorder(board), threading.Event()
    service.address = server.address
    thread = threading.Thread(target=server.serve, args=(service, stop.is_set))
    thread.start()
    try:
        yield service
    finally:
        rig.hold.set()
        stop.set()
        server.wake()
        thread.join(10)
        board.close()
        server.close()
