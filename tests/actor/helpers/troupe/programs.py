"""Programs that end in every way while actors are alive. Each is the body of a script."""

FALL_OFF_THE_END = """
from mojo_seq import ActorSystem
from troupe.basic import Counter
system = ActorSystem(2)
counters = [system.spawn(Counter) for _ in range(10)]
print(sum(counter.add(1).result(10) for counter in counters))
"""

ON_STOP_AT_EXIT = """
from mojo_seq import Actor, ActorSystem
class Ending(Actor):
    def on_stop(self, reason):
        print("ended:", reason.kind, flush=True)
system = ActorSystem(2)
ref = system.spawn(Ending)
"""

BUSY_AT_EXIT = """
import threading
from mojo_seq import Actor, ActorSystem
class Busy(Actor):
    stop_timeout = 0.1
    def work(self):
        started.set()
        threading.Event().wait()
started = threading.Event()
system = ActorSystem(2)
ref = system.spawn(Busy)
ref.work.tell()
started.wait()
print("main ends", flush=True)
"""

EXCEPTION = """
from mojo_seq import ActorSystem
from troupe.basic import Counter
with ActorSystem(2) as system:
    counter = system.spawn(Counter)
    print(counter.add(1).result(10), flush=True)
    raise LookupError("of the program")
"""

SYS_EXIT_IN_AN_ACTOR = """
import sys
from mojo_seq import Actor, ActorSystem
class Exiting(Actor):
    def work(self):
        sys.exit(3)
with ActorSystem(2) as system:
    error = system.spawn(Exiting).work().exception(10)
    print(type(error).__name__, flush=True)
"""

ASYNCIO_AT_EXIT = """
import asyncio
from mojo_seq import ActorSystem
from troupe.basic import Counter
system = ActorSystem(2)
async def main():
    counter = system.spawn(Counter)
    return await counter.add_async(1)
print(asyncio.run(main()))
"""

CTRL_C = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # who started the tests may ignore it
from mojo_seq import Actor, ActorSystem
class Slow(Actor):
    async def work(self):
        import asyncio
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(3600)
    def on_stop(self, reason):
        print("ended:", reason.kind, flush=True)
    stop_timeout = 1.0  # for each step of its end
with ActorSystem(2) as system:
    ref = system.spawn(Slow)
    try:
        ref.work().result()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""

FORK = """
import os
from mojo_seq import ActorSystem, MojoError
from troupe.basic import Counter
with ActorSystem(2) as system:
    counter = system.spawn(Counter, name="c")
    assert counter.add(1).result(10) == 1
    child = os.fork()
    if child == 0:
        try:
            try:
                answer = counter.add(1).result(5)
            except (MojoError, RuntimeError) as error:
                answer = type(error).__name__
            with ActorSystem(2) as own:
                works = own.spawn(Counter, 5).add(1).result(10) == 6
            print("child:", answer, works, flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print("parent:", counter.add(1).result(10), flush=True)
"""

IN_A_THREAD_AT_EXIT = """
import threading
from mojo_seq import ActorSystem
from troupe.basic import Counter
system = ActorSystem(2)
counter = system.spawn(Counter)
def ask():
    while True:
        if counter.add(1).exception(10) is not None:
            return
thread = threading.Thread(target=ask)
thread.start()
counter.add(1).result(10)
system.shutdown()
thread.join()
print("joined")
"""

LAZY = """
import sys
import mojo_seq
heavy = ("mojo_seq.actor", "mojo_seq.pool", "asyncio", "numpy", "concurrent.futures", "logging")
print([name for name in heavy if name in sys.modules])
mojo_seq.ActorSystem
print([name for name in ("asyncio", "numpy", "trio", "multiprocessing") if name in sys.modules])
"""
