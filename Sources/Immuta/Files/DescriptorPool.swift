import Locking

/// The descriptors that readers of one file share, opened when first needed.
///
/// Reads carry their own offsets, so one descriptor serves any number of readers at once and nobody waits for one; what
/// several give is a read-ahead state each, so that streams at different places of a log larger than memory don't spoil
/// each other's.
final class DescriptorPool: Sendable {
  private let directory: Directory
  private let name: String
  private let identity: FileIdentity
  /// What the log was opened by; used itself where its name no longer leads to it, or no further descriptor is to be had.
  private let original: Lock<Descriptor?>
  private let slots: Lock<[Descriptor?]>
  private let capacity: Int

  /// - Parameters:
  ///   - file: the descriptor the log was opened by; the pool reads the same file or none.
  ///   - identity: of that file.
  init(like file: Descriptor, _ identity: FileIdentity, _ name: String, of directory: Directory, capacity: Int) {
    self.directory = directory
    self.name = name
    original = Lock(file)
    self.identity = identity
    self.capacity = capacity
    slots = Lock(Array(repeating: nil, count: capacity))
  }

  /// A pool of one descriptor of this one's, which stays open when this one is closed.
  func independent() throws(ImmutaError) -> DescriptorPool {
    DescriptorPool(like: try descriptor(for: 0), identity, name, of: directory, capacity: 1)
  }

  /// A descriptor; the same one for the same `reader`.
  func descriptor(for reader: Int) throws(ImmutaError) -> Descriptor {
    try slots.withLock { (slots) throws(ImmutaError) in
      let slot = reader % capacity
      if let open = slots[slot] { return open }
      // The file may have been removed or replaced since: what was opened is what is read.
      let new = try? directory.openIfPresent(name, .read)
      let isSame = (try? new?.status())?.identity == identity
      guard let descriptor = isSame ? new : original.withLock({ $0 }) else { throw .storageClosed }
      slots[slot] = descriptor
      return descriptor
    }
  }

  /// Lets go of the descriptors; those who read finish what they read.
  func close() {
    original.withLock { $0 = nil }
    slots.withLock { slots in for slot in slots.indices { slots[slot] = nil } }
  }
}
