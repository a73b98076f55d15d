import ImmutaLibC

/// Where one thread waits until another opens the gate; passing closes it again. Opening before the other waits is not
/// lost.
///
/// `@unchecked Sendable`: `isOpen` and `isAwaited` are touched only under `mutex`; the three pointers never change.
@safe final class ThreadGate: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isOpen = false
  private var isAwaited = false

  init() {
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe condition.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    #if canImport(Darwin)
      unsafe pthread_cond_init(condition, nil)
    #else
      // Waits are measured on a clock that nobody sets.
      var attributes = pthread_condattr_t()
      unsafe pthread_condattr_init(&attributes)
      unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      unsafe pthread_cond_init(condition, &attributes)
      unsafe pthread_condattr_destroy(&attributes)
    #endif
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  private func beginWait() {
    precondition(!isAwaited, "two threads at one gate: opening it would let one of them pass")
    isAwaited = true
  }

  private func endWait() {
    isOpen = false
    isAwaited = false
  }

  func open() {
    unsafe pthread_mutex_lock(mutex)
    isOpen = true
    unsafe pthread_cond_signal(condition)
    unsafe pthread_mutex_unlock(mutex)
  }

  func wait() {
    unsafe pthread_mutex_lock(mutex)
    beginWait()
    while !isOpen { unsafe pthread_cond_wait(condition, mutex) }
    endWait()
    unsafe pthread_mutex_unlock(mutex)
  }

  /// False when the gate stayed shut for `nanoseconds`.
  @discardableResult
  func wait(nanoseconds: Int64) -> Bool {
    unsafe pthread_mutex_lock(mutex)
    beginWait()
    defer {
      endWait()
      unsafe pthread_mutex_unlock(mutex)
    }
    #if canImport(Darwin)
      let end = ContinuousClock.now + .nanoseconds(nanoseconds)
      while !isOpen {
        let left = (end - .now).nanoseconds
        if left <= 0 { break }
        var time = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        unsafe pthread_cond_timedwait_relative_np(condition, mutex, &time)
      }
    #else
      var end = timespec()
      unsafe clock_gettime(CLOCK_MONOTONIC, &end)
      let (seconds, rest) = (Int64(end.tv_nsec) + nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
      end.tv_sec += Int(seconds)
      end.tv_nsec = Int(rest)
      while !isOpen {
        if unsafe pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT { break }
      }
    #endif
    return isOpen
  }
}
