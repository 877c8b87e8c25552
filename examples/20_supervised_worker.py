"""A worker that crashes: its supervisor restarts it, and nobody else notices but who asks to."""

import logging
import threading

from mojo_seq import Actor, ActorRef, ActorSystem, Down, Supervisor


class Worker(Actor):
    def __init__(self, boss: ActorRef["Boss"]) -> None:  # called again by each restart
        self._boss = boss
        self._boss.started.tell()

    def work(self, item: int) -> None:
        self._boss.done.tell(10 // item)  # told, not asked: an error is the worker's failure

    def finish(self) -> None:
        self.stop()


class Boss(Actor):
    supervisor = Supervisor("one_for_one", max_restarts=2, within=60)

    def __init__(self, over: threading.Event) -> None:
        self._over = over
        self._starts = 0
        self._results: list[int] = []
        self._worker = self.spawn(Worker, self.ref)
        self.monitor(self._worker, self.on_down)  # of its end; a restart is none

    def worker(self) -> ActorRef[Worker]:
        return self._worker

    def started(self) -> None:
        self._starts += 1

    def done(self, result: int) -> None:
        self._results.append(result)

    def report(self) -> tuple[int, list[int]]:
        return self._starts, self._results

    def on_down(self, down: Down) -> None:
        assert down.reason.kind == "stopped"
        self._over.set()


def main() -> None:
    logging.getLogger("mojo_seq.actor").setLevel(logging.ERROR)  # restarts are logged as warnings
    over = threading.Event()
    with ActorSystem() as system:
        boss = system.spawn(Boss, over)
        worker = boss.ask(Boss.worker).result()
        for item in (1, 2, 0, 5, 0, 10):
            worker.work.tell(item)  # the same ref and the same mailbox, whatever happens
        worker.finish.tell()  # comes after these, in the same mailbox
        assert over.wait(timeout=30)
        starts, results = boss.ask(Boss.report).result()
    assert (starts, results) == (3, [10, 5, 2, 1])
    print(f"{results} were done by {starts} workers, one after the other")


if __name__ == "__main__":
    main()
