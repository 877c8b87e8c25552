# Checking arguments: the wrong type is a TypeError, a number outside its domain an
# InvalidArgumentError, each naming what was expected.

import operator as _operator


cdef inline object _index(object value, str name):
    try:
        return _operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None


cdef size_t to_size(object value, str name) except? <size_t>-1:
    """A number of bytes or an offset. What no address can hold is beyond any limit."""
    number = value if type(value) is int else _index(value, name)
    if number < 0:
        raise InvalidArgumentError(f"{name} must not be negative, got {number}")
    if number > 0x7FFFFFFFFFFFFFFF:
        raise InvalidArgumentError(f"{name} is too large: {number}")
    return number


cdef size_t to_allocation(object value, str name) except? <size_t>-1:
    """A size that is to be had: one that cannot is ResourceExhaustedError."""
    number = value if type(value) is int else _index(value, name)
    if number < 0:
        raise InvalidArgumentError(f"{name} must not be negative, got {number}")
    if number > 0x7FFFFFFFFFFFFFFF:
        raise ResourceExhaustedError(f"{name} is more than there can be: {number}")
    return number


cdef size_t to_count(object value, str name) except? <size_t>-1:
    """A number of things, at least one."""
    number = value if type(value) is int else _index(value, name)
    if number < 1:
        raise InvalidArgumentError(f"{name} must be at least 1, got {number}")
    return min(number, 0x7FFFFFFFFFFFFFFF)


cdef Time to_deadline(object timeout) except? -1:
    """A timeout in seconds as a point in time. None and infinity are never, the past is now."""
    if timeout is None:
        return kNever
    return to_deadline_from(timeout, Now())


cdef Time to_deadline_from(object timeout, Time now) except? -1:
    """The same on a clock that says `now`."""
    cdef double seconds
    if timeout is None:
        return kNever
    if not isinstance(timeout, (int, float)):
        if isinstance(timeout, (str, bytes, bytearray)):  # which float() would read
            raise TypeError(f"timeout must be seconds or None, not {type(timeout).__name__}")
        try:
            timeout = float(timeout)
        except (TypeError, ValueError):
            raise TypeError(
                f"timeout must be seconds or None, not {type(timeout).__name__}") from None
    try:
        seconds = timeout
    except OverflowError:
        return kNever if timeout > 0 else 0
    if isnan(seconds):
        raise InvalidArgumentError("timeout must be a number of seconds, not nan")
    if seconds > 9e9:
        return kNever
    return now + (<Time>(seconds * 1e9) if seconds > 0 else 0)


cdef int get_buffer(object source, Py_buffer* view, int flags, str name) except -1:
    """A C-contiguous buffer of `source`; to be released by the caller."""
    try:
        PyObject_GetBuffer(source, view, flags)
    except TypeError:
        raise TypeError(f"{name} must be a bytes-like object, not {type(source).__name__}") from None
    except (BufferError, ValueError) as error:
        kind = "writable, C-contiguous" if flags & PyBUF_WRITABLE else "C-contiguous"
        raise BufferError(f"{name} must be a {kind} buffer: {error}") from None
    return 0


cdef object numpy():
    """numpy, imported when the first array is asked for."""
    import numpy
    return numpy


cdef object to_dtype(object dtype):
    made = numpy().dtype(dtype)
    if made.hasobject:
        raise InvalidArgumentError(f"dtype must not hold Python objects, got {made}")
    if made.itemsize == 0:
        raise InvalidArgumentError(f"dtype must have a size, got {made}")
    return made
