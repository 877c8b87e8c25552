# engine/{sequence,call_task,sequence_notifier,worker_pool,run_loop}.h
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.pair cimport pair

from dispatcher cimport Ref, RefCounted, Time, c_Result, c_SignalsState
from watcher cimport NotificationTarget, c_Watcher


cdef extern from "engine/sequence.h" namespace "mojo_seq" nogil:
    cdef cppclass Task:
        Task* next
        NotificationTarget* target

    cdef cppclass Scheduler(RefCounted):
        cbool closing()

    cdef enum class c_Priority "mojo_seq::Priority":
        pass
    cdef enum class c_ShutdownBehavior "mojo_seq::ShutdownBehavior":
        pass

    cdef cppclass SequenceTraits:
        c_Priority priority
        cbool may_block
        c_ShutdownBehavior shutdown

    cdef cppclass Sequence(RefCounted):
        Sequence(Ref[Scheduler] scheduler, SequenceTraits traits)
        c_Result Push(Task* task)
        Task* Pop()
        Task* TakeAll()
        cbool HasTasks()
        int VisitTasks(int (*visit)(Task* task, void* arg) noexcept, void* arg)
        Scheduler* scheduler()

    ctypedef pair[Time, uint64_t] TimerKey "mojo_seq::TimerQueue::Key"


cdef extern from "engine/call_task.h" namespace "mojo_seq" nogil:
    cdef enum class TaskMode "mojo_seq::CallTask::Mode":
        kPlain "mojo_seq::CallTask::Mode::kPlain"
        kSubmit "mojo_seq::CallTask::Mode::kSubmit"
        kReply "mojo_seq::CallTask::Mode::kReply"
        kDelayed "mojo_seq::CallTask::Mode::kDelayed"
        kTurn "mojo_seq::CallTask::Mode::kTurn"

    cdef cppclass CallTask(Task):
        CallTask()
        TaskMode mode
        int instruction
        void* callable
        void* arguments
        void* keywords
        void* context
        void* code
        void* extra
        void* runner


cdef extern from "engine/sequence_notifier.h" namespace "mojo_seq" nogil:
    cdef cppclass NotificationTask(Task):
        NotificationTask()
        c_Result result
        c_SignalsState state


cdef extern from "notification_handler.h" namespace "mojo_seq" nogil:
    # A watcher that posts its notifications to `sequence`.
    c_Watcher* NewSequenceWatcher(NotificationTarget* target, Sequence* sequence)


cdef extern from "engine/worker_pool.h" namespace "mojo_seq" nogil:
    cdef cppclass PoolStatistics:
        size_t threads
        size_t idle
        size_t ready
        size_t running
        size_t delayed

    cdef cppclass Worker "mojo_seq::WorkerPool::Worker":
        Worker()
        Worker(cbool searching)

    cdef cppclass c_WorkerPool "mojo_seq::WorkerPool"(Scheduler):
        c_WorkerPool(size_t max_workers)
        cbool WantsThread()
        void AddThread()
        void ThreadFailed()
        cbool BeginBlock()
        void EndBlock()
        cbool AwaitReady(Worker* worker)
        cbool IsReady()
        Ref[Sequence] TryNext(Worker* worker)
        void Search(Worker* worker)
        void Rest(Worker* worker)
        void Finish(Ref[Sequence] sequence)
        cbool MustSkip(const Sequence& sequence)
        c_Result AddTimer(Time due, Ref[Sequence] sequence, Task* task, TimerKey* key)
        Task* RemoveTimer(const TimerKey& key)
        Task* Close()
        c_Result WaitDrained(Time deadline)
        PoolStatistics statistics()


cdef extern from "engine/run_loop.h" namespace "mojo_seq" nogil:
    cdef enum class Wake:
        kWoken
        kTimedOut
        kInterrupted

    cdef cppclass LoopScheduler(Scheduler):
        cbool Schedule(Sequence* sequence)
        void RunTimers()
        Time next_timer()
        c_Result AddTimer(Time due, Ref[Sequence] sequence, Task* task, TimerKey* key)
        Task* RemoveTimer(const TimerKey& key)
        int VisitTimers(int (*visit)(Task* task, void* arg) noexcept, void* arg)
        Task* Close()

    cdef cppclass c_RunLoop "mojo_seq::RunLoop"(LoopScheduler):
        c_RunLoop()
        Wake Wait(Time deadline)
        void Quit()
        cbool TakeQuit()

    cdef cppclass WakeupFd(LoopScheduler):
        int fd()
        void Drain()
    c_Result CreateWakeupFd "mojo_seq::WakeupFd::Create"(Ref[WakeupFd]* wakeup)
