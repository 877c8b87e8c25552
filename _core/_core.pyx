# cython: language_level=3, freethreading_compatible=False, nonecheck=True
# cython: auto_pickle=False, autotestdict=False
# distutils: language=c++
"""The core of mojo_seq: Cython classes over a C++ engine that knows nothing of Python.

Not imported directly: `mojo_seq` and its packages give these names their documented homes.

Every field of the classes here that is not constant after construction is owned by the GIL,
unless its declaration says otherwise; the engine has its own locks. The module is therefore not
marked as safe without the GIL: a free-threaded interpreter turns the GIL on when it loads it.
"""

import atexit
import enum
import os
from collections import namedtuple
from sys import modules as _sys_modules

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.long cimport PyLong_AsLongAndOverflow
from cpython.memoryview cimport PyMemoryView_FromObject
from cpython.object cimport PyObject
from cpython.pythread cimport PyThread_get_thread_ident
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.math cimport isinf, isnan
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from data_pipe cimport *
from dispatcher cimport *
from io_thread cimport *
from message cimport *
from message_pipe cimport *
from platform_handle cimport *
from readiness_fd cimport *
from reply_wait cimport *
from segment cimport *
from sequence cimport *
from shared_buffer cimport *
from shared_segment cimport *
from simulation cimport *
from system_thread cimport *
from wait cimport *
from watcher cimport *

include "settings.pxi"
include "errors.pxi"
include "signals.pxi"
include "after_call.pxi"
include "peer_report.pxi"
include "arguments.pxi"
include "handle.pxi"
include "payload.pxi"
include "message.pxi"
include "message_building.pxi"
include "message_pipe.pxi"
include "data_pipe.pxi"
include "data_pipe_window.pxi"
include "shared_buffer.pxi"
include "shared_words.pxi"
include "shared_segment.pxi"
include "platform_handle.pxi"
include "watcher.pxi"
include "wait.pxi"
include "wait_set.pxi"
include "readiness_fd.pxi"
include "plain_message.pxi"
include "task_message.pxi"
include "sequence.pxi"
include "run_task.pxi"
include "reply_state.pxi"
include "reply.pxi"
include "awaiter.pxi"
include "envelope.pxi"
include "fifo.pxi"
include "mailbox_queue.pxi"
include "mailbox.pxi"
include "actor_cell.pxi"
include "ask_cycle.pxi"
include "actor_task.pxi"
include "actor_ref.pxi"
include "pipe_reader.pxi"
include "loop_watch.pxi"
include "staying.pxi"
include "credits.pxi"
include "connection.pxi"
include "route.pxi"
include "accepted.pxi"
include "serving.pxi"
include "worker_pool.pxi"
include "run_loop.pxi"
include "blocking_call.pxi"
include "environment.pxi"
include "simulated_pool.pxi"
include "simple_watcher.pxi"
include "process.pxi"
include "garbage_collection.pxi"
