import Immuta
import ImmutaLocking

/// A store's partitions that are in use; each keeps a descriptor.
///
/// A partition that nobody holds is released, with its descriptor: so a store of many partitions is read with few open files. A
/// partition whose descriptor's number was asked for is kept until the store is closed. The number is easily held for longer than
/// the partition, and must not come to mean another file.
final class HeldPartitions: Sendable {
  private let held: Lock<[Held]>

  private struct Held {
    weak var partition: Partition?
    /// Set once its number was asked for.
    var given: Partition?
  }

  init(_ count: Int) {
    held = Lock(Array(repeating: Held(), count: count))
  }

  /// A partition with the file that is read now.
  func partition(_ index: Int, _ log: Log) throws(ImmutaError) -> Partition {
    try held.withLock { (held) throws(ImmutaError) in
      if let partition = held[index].partition, try partition.isCurrent { return partition }
      let partition = try Partition(index, log, of: self)
      held[index].partition = partition
      return partition
    }
  }

  /// The number of the partition's descriptor is given away.
  func keep(_ partition: Partition) {
    held.withLock { if $0[partition.index].partition === partition { $0[partition.index].given = partition } }
  }

  /// Only partitions that others hold stay.
  func letGo() {
    // Not under the lock: partitions close files as they go.
    let given = held.withLock { held in
      let given = held.map(\.given)
      for index in held.indices { held[index].given = nil }
      return given
    }
    _ = given
  }
}
