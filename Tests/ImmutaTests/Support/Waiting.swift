import Foundation
import Testing

/// A call that should have ended did not.
struct TimedOut: Error {}

// The limits are long: they end what hangs, also on a loaded machine and under the thread sanitizer.

/// Asks until the answer is yes; false when it never was within the limit.
func eventually(within limit: Duration = .seconds(90), _ condition: () async throws -> Bool) async rethrows -> Bool {
  let end = ContinuousClock.now + limit
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(1))
  }
  return false
}

/// What a task brought, or `TimedOut`: so that a call that hangs fails its test instead of stopping the run.
func value<R: Sendable>(of task: Task<R, any Error>, within limit: Duration = .seconds(90)) async throws -> R {
  let result = Box<Result<R, any Error>?>(nil)
  Task {
    let outcome = await task.result
    result.withLock { $0 = outcome }
  }
  guard await eventually(within: limit, { result.withLock { $0 != nil } }) else {
    task.cancel()
    throw TimedOut()
  }
  guard let outcome = result.withLock({ $0 }) else { throw TimedOut() }
  return try outcome.get()
}

/// Runs a task that may hang, for no longer than the limit.
func withinLimit<R: Sendable>(
  _ limit: Duration = .seconds(90), _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
  try await value(of: Task { try await body() }, within: limit)
}

/// Starts a task and returns when it waits for the first time, or has ended.
func startWaiting<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async -> Task<R, any Error> {
  if #available(macOS 26, *) {
    return Task.immediate { try await body() }
  }
  let task = Task { try await body() }
  try? await Task.sleep(for: .milliseconds(20))
  return task
}

/// Runs code that is not async on a thread of its own, where it may block.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}

/// A value that several tasks and threads change.
final class Box<Value: Sendable>: @unchecked Sendable {
  // `value` is touched only while `lock` is held.
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  @discardableResult
  func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
