/// A place in a broadcaster's events, and the way to get the next.
///
/// As a sequence it delivers the number of each event, counting from 0, in order and without a gap. Events that have
/// come meanwhile are delivered one after the other without waiting; ``skipToLatest()`` skips them.
///
/// A subscription is a value: a copy goes its own way from the same place. It costs nothing while nobody waits on it,
/// need not be ended, and keeps its place when a wait is cancelled or runs out of time.
public struct Subscription: AsyncSequence, AsyncIteratorProtocol, Sendable {
  /// The number of an event.
  public typealias Element = Int

  /// The number of the event that comes next.
  public private(set) var position: Int

  private let broadcaster: Broadcaster

  init(broadcaster: Broadcaster, position: Int) {
    self.broadcaster = broadcaster
    self.position = position
  }

  /// A copy that starts from the same place.
  public func makeAsyncIterator() -> Subscription { self }

  /// Waits for the next event and returns its number; nil when the broadcaster is closed and all have been delivered.
  ///
  /// Returns without suspending if it has come already, even if the task is cancelled.
  ///
  /// - Throws: `CancellationError` when the task is cancelled while it has to wait.
  public mutating func next() async throws -> Int? {
    if broadcaster.generation > position { return take() }
    return try await waitForNext()
  }

  /// The same as ``next()`` for a caller on an actor: it stays there, so that iterating costs no change of executor.
  ///
  /// - Throws: `CancellationError` when the task is cancelled while it has to wait.
  public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Int? {
    if broadcaster.generation > position { return take() }
    return try await waitForNext()
  }

  /// Waits for the next event and returns its number; nil when the time passed first.
  ///
  /// nil means only that: unlike ``next()``, this throws when the broadcaster is closed and all have been delivered.
  /// The place is kept, so the next call misses nothing. A timeout of zero or less asks without waiting.
  ///
  /// - Throws: `CancellationError` when the task is cancelled while it has to wait; ``BroadcasterClosed``.
  public mutating func next(timeout: Duration) async throws -> Int? {
    if broadcaster.generation > position { return take() }
    guard try await broadcaster.wait(past: position, timeout: timeout) != nil else { return nil }
    return take()
  }

  /// Skips the events that have come already: the next one delivered is one that has not come yet.
  ///
  /// For a consumer that handles everything at each wake-up. Never goes back. O(1).
  public mutating func skipToLatest() {
    position = Swift.max(position, broadcaster.generation)
  }
  private mutating func waitForNext() async throws -> Int? {
    do {
      _ = try await broadcaster.wait(past: position)
    } catch is BroadcasterClosed {
      return nil
    }
    return take()
  }

  private mutating func take() -> Int {
    defer { position += 1 }
    return position
  }
}

extension Broadcaster {
  /// Where in a broadcaster's events a subscription starts.
  @nonexhaustive
  public enum History: Hashable, Sendable {
    /// With event 0, even if that came long ago.
    case all
    /// With the first event after the call.
    case none
    /// With the event of this number, counting from 0, whether it has come already or not. Not negative.
    case since(Int)
  }

  /// Starts to follow the events.
  ///
  /// O(1), and free until somebody waits on it.
  ///
  /// - Parameter history: Which event is the first one delivered.
  public func subscribe(from history: History = .none) -> Subscription {
    switch history {
    case .all:
      return Subscription(broadcaster: self, position: 0)
    case .none:
      return Subscription(broadcaster: self, position: generation)
    case .since(let number):
      precondition(number >= 0, "events are counted from 0: subscribe(from: .since(\(number)))")
      return Subscription(broadcaster: self, position: number)
    }
  }
}
