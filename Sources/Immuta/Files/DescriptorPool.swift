import Solid

/// The descriptors that readers of one file share, opened when first needed.
///
/// Reads carry their own offsets, so one descriptor serves any number of readers at once and nobody waits for one; what
/// several give is a read-ahead state each, so that streams at different places of a log larger than memory don't spoil
/// each other's.
final class DescriptorPool: Sendable {
  private let path: String
  private let inode: UInt64
  private let slots: Lock<[Descriptor?]>
  private let capacity: Int

  /// - Parameter file: the descriptor the log was opened by; the pool reads the same file or none.
  init(like file: Descriptor, capacity: Int) throws(ImmutaError) {
    path = file.path
    inode = try file.status().inode
    self.capacity = capacity
    slots = Lock(Array(repeating: nil, count: capacity))
  }

  /// A descriptor; the same one for the same `reader`.
  func descriptor(for reader: Int) throws(ImmutaError) -> Descriptor {
    try slots.withLock { (slots) throws(ImmutaError) in
      let slot = reader % capacity
      if let open = slots[slot] { return open }
      let new = try Descriptor(opening: path, .read)
      guard try new.status().inode == inode else {
        throw .corrupted(
          Corruption(path: path, reason: "the file was replaced by another while the log was open; open it anew"))
      }
      slots[slot] = new
      return new
    }
  }

  /// Lets go of the descriptors; those who read finish what they read.
  func close() {
    slots.withLock { slots in for slot in slots.indices { slots[slot] = nil } }
  }
}
