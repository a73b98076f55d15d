/// The error of a wait when the broadcaster was closed and the event it waits for never came.
///
/// Events that came before ``Broadcaster/close()`` are still delivered, so this means "that was all".
public struct BroadcasterClosed: Error, Hashable, Sendable, CustomStringConvertible {
  /// Creates the error.
  public init() {}

  /// A sentence for people.
  public var description: String {
    "The broadcaster is closed: no further event will come, so there is nothing to wait for."
  }
}
