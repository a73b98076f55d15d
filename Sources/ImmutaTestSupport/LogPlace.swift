public import Immuta

/// Where logs are kept: in this process, on a cluster. What ``LogPromise`` is checked on.
public protocol LogPlace: Sendable {
  /// What it gives.
  associatedtype Handle: AppendOnlyLog

  /// A handle of a log, which is made if it does not exist. Each call for one name gives a handle that may append: the same one,
  /// or another writer's.
  func open(_ namespace: String) async throws -> Handle
}

/// A promise was not kept.
public struct PromiseBroken: Error, CustomStringConvertible {
  /// What was found instead, and by which line.
  public let description: String

  init(_ text: String, line: Int) {
    description = "\(text) (line \(line))"
  }
}

/// Throws unless the condition holds.
func demand(_ condition: Bool, _ text: @autoclosure () -> String, line: Int = #line) throws {
  if !condition { throw PromiseBroken(text(), line: line) }
}

/// A value that must be there.
func demand<Value>(_ value: Value?, _ text: @autoclosure () -> String, line: Int = #line) throws -> Value {
  guard let value else { throw PromiseBroken(text(), line: line) }
  return value
}

/// Demands that a call throws an error of the engine.
func demandError(
  _ isExpected: (ImmutaError) -> Bool, _ text: String, line: Int = #line, _ body: () async throws -> Void
) async throws {
  do {
    try await body()
  } catch let error as ImmutaError {
    return try demand(isExpected(error), "\(text), and threw: \(error)", line: line)
  }
  throw PromiseBroken("\(text), and threw nothing", line: line)
}

/// What `body` brings; throws where that takes longer than anything but a call that hangs.
func bounded<Result: Sendable>(
  _ what: String, within limit: Duration = LogPromise.patience, line: Int = #line,
  _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
  // The first outcome counts: nil once the time is over.
  let (outcomes, outcome) = AsyncStream.makeStream(
    of: Swift.Result<Result, any Error>?.self, bufferingPolicy: .bufferingOldest(1))
  let work = Task {
    do { outcome.yield(.success(try await body())) } catch { outcome.yield(.failure(error)) }
  }
  let clock = Task {
    try await Task.sleep(for: limit)
    outcome.yield(nil)
  }
  defer {
    work.cancel()
    clock.cancel()
  }
  for await first in outcomes {
    guard let first else { break }
    return try first.get()
  }
  throw PromiseBroken("\(what) took longer than \(limit)", line: line)
}
