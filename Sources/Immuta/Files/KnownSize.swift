import Synchronization

/// A number of bytes, which one thread sets and others ask for.
final class KnownSize: Sendable {
  /// Releasing and acquiring: who sees that a file is shorter sees that it was to be.
  private let bytes = Atomic(0)

  var value: Int { bytes.load(ordering: .acquiring) }

  func set(_ count: Int) { bytes.store(count, ordering: .releasing) }
}
