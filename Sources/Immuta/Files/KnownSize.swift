import Synchronization

/// A number of bytes, which one thread sets and others ask for.
final class KnownSize: Sendable {
  /// Releasing and acquiring: a caller that sees a shorter file also sees that it was shortened on purpose.
  private let bytes = Atomic(0)

  var value: Int { bytes.load(ordering: .acquiring) }

  func set(_ count: Int) { bytes.store(count, ordering: .releasing) }
}
