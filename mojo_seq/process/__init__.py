"""Other processes: starting them, finding them, and handing handles to them."""

from mojo_seq.process import multiprocessing_args
from mojo_seq.process.bad_message_report import BadMessageReport
from mojo_seq.process.channel_endpoint import ChannelEndpoint
from mojo_seq.process.child_process import ChildProcess
from mojo_seq.process.give import give
from mojo_seq.process.incoming_invitation import IncomingInvitation
from mojo_seq.process.invitation import Invitation
from mojo_seq.process.memory_budget import (
    MemoryStatistics,
    memory_statistics,
    set_memory_budget,
)
from mojo_seq.process.named_channel import NamedChannel
from mojo_seq.process.named_channel_server import NamedChannelServer
from mojo_seq.process.platform_channel import PlatformChannel
from mojo_seq.process.shared_array import shared_array
from mojo_seq.process.spawn_process import spawn_process

__all__ = [
    "BadMessageReport",
    "ChannelEndpoint",
    "ChildProcess",
    "IncomingInvitation",
    "Invitation",
    "MemoryStatistics",
    "NamedChannel",
    "NamedChannelServer",
    "PlatformChannel",
    "give",
    "memory_statistics",
    "set_memory_budget",
    "shared_array",
    "spawn_process",
]

multiprocessing_args.install()
