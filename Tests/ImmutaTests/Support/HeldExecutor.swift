import Dispatch

/// Runs tasks, but not while it is held.
final class HeldExecutor: TaskExecutor {
  /// Nil while it is not held.
  private let held: Box<[UnownedJob]?>

  init(isHeld: Bool) { held = Box(isHeld ? [] : nil) }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let isHeld = held.withLock { held in
      held?.append(job)
      return held != nil
    }
    if !isHeld { start(job) }
  }

  func hold() { held.withLock { $0 = $0 ?? [] } }

  func release() {
    for job in take(thenHeld: nil) { start(job) }
  }

  /// Runs what is held now on the calling thread.
  func step() {
    for job in take(thenHeld: []) { job.runSynchronously(on: asUnownedTaskExecutor()) }
  }

  private func take(thenHeld next: [UnownedJob]?) -> [UnownedJob] {
    held.withLock { held in
      defer { held = next }
      return held ?? []
    }
  }

  private func start(_ job: UnownedJob) {
    DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
