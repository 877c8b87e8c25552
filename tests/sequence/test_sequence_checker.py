"""SequenceChecker: is this still the sequence I belong to? (public contract §8)."""

from concurrent.futures import ThreadPoolExecutor

from mojo_seq import RunLoop, SequenceChecker, SequencedTaskRunner, ThreadPool

TIMEOUT = 30.0


def test_it_is_bound_to_the_first_sequence_that_asks(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8.
    checker = SequenceChecker()
    assert runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True
    assert runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True
    assert other_runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is False


def test_a_wrong_asker_does_not_rebind_it(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: the first one only.
    checker = SequenceChecker()
    runner.submit(checker.called_on_valid_sequence).result(TIMEOUT)
    for _ in range(2):
        assert other_runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is False
    assert runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True


def test_making_it_does_not_bind_it(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: bound to the first that *asks*; objects are made anywhere.
    checker = runner.submit(SequenceChecker).result(TIMEOUT)
    assert other_runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True


def test_detach_lets_the_next_asker_have_it(
    runner: SequencedTaskRunner, other_runner: SequencedTaskRunner
) -> None:
    # Public contract §8: .detach().
    checker = SequenceChecker()
    runner.submit(checker.called_on_valid_sequence).result(TIMEOUT)
    checker.detach()
    assert other_runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True
    assert runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is False


def test_it_follows_the_sequence_from_thread_to_thread() -> None:
    # Public contract §8: about sequences, not about threads.
    with ThreadPool(max_workers=4) as pool:
        runner = pool.create_sequenced_task_runner()
        checker = SequenceChecker()
        for _ in range(200):
            # Parallel tasks between them make the workers take turns.
            pool.post_task(lambda: None)
            assert runner.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True


def test_two_sequences_on_one_thread_are_told_apart() -> None:
    # Public contract §8: the same worker runs both.
    with ThreadPool(max_workers=1) as pool:
        first, second = (pool.create_sequenced_task_runner() for _ in range(2))
        checker = SequenceChecker()
        assert first.submit(checker.called_on_valid_sequence).result(TIMEOUT) is True
        assert second.submit(checker.called_on_valid_sequence).result(TIMEOUT) is False


def test_a_plain_thread_is_one_sequence_of_its_own() -> None:
    # As in Chromium: outside any sequence, the thread is what counts.
    checker = SequenceChecker()
    assert checker.called_on_valid_sequence() is True
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(checker.called_on_valid_sequence).result(TIMEOUT) is False
    assert checker.called_on_valid_sequence() is True


def test_a_run_loop_is_another_sequence_than_its_thread() -> None:
    # Public contract §8: the loop makes the thread a sequence only while it runs.
    loop = RunLoop()
    checker = SequenceChecker()
    inside = loop.task_runner.submit(checker.called_on_valid_sequence)
    loop.run_until_idle()
    assert inside.result(timeout=0) is True
    assert checker.called_on_valid_sequence() is False
