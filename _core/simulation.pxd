# engine/simulation.h
from libc.stdint cimport uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from dispatcher cimport Ref, RefCounted, Time, c_Result
from sequence cimport Scheduler, Sequence, Task, TimerKey, Wake


cdef extern from "engine/simulation.h" namespace "mojo_seq" nogil:
    cdef enum class Turn "mojo_seq::Simulation::Turn":
        kTask "mojo_seq::Simulation::Turn::kTask"
        kCaller "mojo_seq::Simulation::Turn::kCaller"
        kNone "mojo_seq::Simulation::Turn::kNone"
        kMisfit "mojo_seq::Simulation::Turn::kMisfit"

    cdef cppclass Simulation(RefCounted):
        Simulation()
        Simulation(uint64_t seed)
        Simulation(vector[uint32_t] choices)
        Turn Next(cbool caller_ready, cbool newest_first, Ref[Sequence]* sequence)
        void Finish(Ref[Sequence] sequence)
        void AdvanceTo(Time time)
        Time now()
        Time next_timer()
        vector[uint32_t] choices()
        vector[Ref[Sequence]] Blocked()
        Wake AwaitPush(Time real_deadline)
        void WakeUp()
        Task* Stop()
        cbool stopped()

    cdef cppclass SimulatedStatistics "mojo_seq::SimulatedScheduler::Statistics":
        size_t ready
        size_t running
        size_t delayed

    cdef cppclass SimulatedScheduler(Scheduler):
        SimulatedScheduler(Ref[Simulation] simulation, size_t max_running)
        c_Result AddTimer(Time due, Ref[Sequence] sequence, Task* task, TimerKey* key)
        Task* RemoveTimer(const TimerKey& key)
        void Suspend()
        void Resume()
        Task* Close()
        cbool IsDrained()
        SimulatedStatistics statistics()
        uint64_t tasks_run
        uint64_t tasks_skipped
