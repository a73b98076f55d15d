import ImmutaLocking
import Synchronization

/// A small payload whose caller waits for its turn, and its outcome: the caller that ends the turn before appends it.
final class QueuedAppend: Sendable {
  let bytes: [UInt8]
  private let result = Lock<Result<Receipt, ImmutaError>?>(nil)
  private let room: Room

  /// How large a payload may be: a larger one costs more than to wake a task.
  static var largest: Int { 64 << 10 }

  /// A copy of the payload; nil if it is large, or if waiting callers have left many already.
  init?(_ bytes: UnsafeRawBufferPointer, in room: Room) {
    guard bytes.count <= Self.largest, room.take(bytes.count) else { return nil }
    self.bytes = unsafe [UInt8](bytes)
    self.room = room
  }

  deinit {
    room.giveBack(bytes.count)
  }

  /// Its outcome; nil if the caller has the turn, and appends it. Set before the caller is resumed.
  var outcome: Result<Receipt, ImmutaError>? {
    get { result.withLock { $0 } }
    set { result.withLock { $0 = newValue } }
  }

  /// The memory that the payloads of callers that wait for one log may take together.
  final class Room: Sendable {
    /// Relaxed: it is a sum, and nothing else depends on it.
    private let taken = Atomic(0)

    private static var most: Int { 4 << 20 }

    fileprivate func take(_ count: Int) -> Bool {
      if taken.add(count, ordering: .relaxed).newValue <= Self.most { return true }
      giveBack(count)
      return false
    }

    fileprivate func giveBack(_ count: Int) {
      taken.subtract(count, ordering: .relaxed)
    }
  }
}
