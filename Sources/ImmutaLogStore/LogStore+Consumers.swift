public import Immuta
import ImmutaLibC

// A store's consumers: making, listing, moving and removing them.

extension LogStore {
  /// Joins the consumers of a name, which share all partitions of the store; makes the consumer if there is none. See
  /// ``MessageConsumer``.
  ///
  /// Its position in each partition is in a file of its own, `<partition>.bilog.consumers/<name>.position`, and its members are
  /// in `logstore.groups/<name>`. If a position is damaged, or does not fit its partition, opening it throws: a consumer never
  /// starts over by itself. Call ``seekConsumer(_:to:in:)`` to say where it goes on.
  ///
  /// When it returns, it has what nobody else has, up to its share; the rest comes when the others give it up.
  ///
  /// - Parameters:
  ///   - name: as a namespace's: 1 to 200 letters, digits, “.”, “_” or “-”, not starting with “.”.
  ///   - start: where it begins in partitions in which it has no position yet; in the others it goes on where it was.
  ///   - creating: whether it is made where there is none.
  /// - Throws: `.consumerNotFound`; `.corrupted`, also for a partition that could not be opened: name the others then;
  ///   `.foreignPosition`, `.positionBeyondEnd`, `.positionOutdated`, `.unsupportedVersion` as above; `.invalidConsumer`,
  ///   `.foreignOwner`, `.storageClosed`, `.io`.
  public func consumer(
    _ name: String, startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> MessageConsumer {
    try makePositions(of: name, in: Array(0..<partitionCount), start, creating)
    let consumer = MessageConsumer(name, of: self, group(of: name), sharing: true)
    noteOpen(consumer)
    try consumer.join()
    return consumer
  }

  /// Opens a consumer of some partitions, which it has for as long as it is open; makes it if there is none. It is not a member
  /// of the group of that name: the members share the other partitions, and their shares may then be uneven. Otherwise as
  /// ``consumer(_:startingAt:creating:)``.
  ///
  /// - Throws: `.consumerInUse` when somebody has one of them, a member of the group, too; `.partitionNotFound`,
  ///   `.invalidConfiguration` for no partition, and what ``consumer(_:startingAt:creating:)`` throws.
  public func consumer(
    _ name: String, partitions: [Int], startingAt start: StreamPosition = .beginning, creating: Bool = true
  ) throws(ImmutaError) -> MessageConsumer {
    if partitions.isEmpty { throw .invalidConfiguration("a consumer of no partitions gets nothing: name at least one") }
    let partitions = Set(partitions).sorted()
    try makePositions(of: name, in: partitions, start, creating)
    let consumer = MessageConsumer(name, of: self, group(of: name), sharing: false)
    noteOpen(consumer)
    try consumer.take(partitions)
    return consumer
  }

  /// The store's consumers, sorted by name, and how far they have come. O(partitions · consumers), a few small reads for each;
  /// opens none.
  ///
  /// - Throws: `.storageClosed`, `.io`; `.corrupted` for a partition that could not be opened. What is wrong with a position is
  ///   in its details.
  public var consumers: [MessageConsumerDetails] {
    get throws(ImmutaError) {
      var found: [String: [Int: ConsumerDetails]] = [:]
      for partition in 0..<partitionCount {
        for details in try log(partition).consumers { found[details.name, default: [:]][partition] = details }
      }
      var consumers: [MessageConsumerDetails] = []
      for (name, partitions) in found.sorted(by: { $0.key < $1.key }) {
        consumers.append(
          MessageConsumerDetails(name: name, partitions: partitions, members: try group(of: name).members()))
      }
      return consumers
    }
  }

  /// Moves a consumer in a partition that nobody has, or in all of them; also one whose position is damaged or another log's.
  /// Makes it if it does not exist. A record number applies to each partition.
  ///
  /// - Throws: `.consumerInUse`: then nothing is moved, except if a member takes a partition at that very moment;
  ///   `.recordRemoved`, `.positionBeyondEnd`, `.foreignPosition`, `.invalidPosition` of the first partition that has no such
  ///   place: the partitions before it are moved then; `.partitionNotFound`, `.invalidConsumer`, `.foreignOwner`,
  ///   `.storageClosed`, `.io`.
  public func seekConsumer(
    _ name: String, to position: StreamPosition, in partition: Int? = nil
  ) throws(ImmutaError) {
    let partitions = partition.map { [$0] } ?? Array(0..<partitionCount)
    _ = try present(name, in: partitions)
    for partition in partitions { try log(partition).seekConsumer(name, to: position) }
  }

  /// Removes a consumer that nobody has open, with its positions in all partitions. On stable storage when it returns.
  ///
  /// - Throws: `.consumerNotFound`; `.consumerInUse`: then nothing is removed, except if a member takes a partition at that very
  ///   moment; `.invalidConsumer`, `.foreignOwner`, `.storageClosed`, `.io`; `.corrupted` for a partition that could not be
  ///   opened.
  public func removeConsumer(_ name: String) throws(ImmutaError) {
    let partitions = try present(name, in: Array(0..<partitionCount))
    if partitions.isEmpty { throw .consumerNotFound(name) }
    try group(of: name).remove()
    for partition in partitions { try log(partition).removeConsumer(name) }
  }

  /// The partitions in which a consumer has a position that nobody uses.
  ///
  /// - Throws: `.consumerInUse`, and what looking at them does.
  private func present(_ name: String, in partitions: [Int]) throws(ImmutaError) -> [Int] {
    var present: [Int] = []
    for partition in partitions {
      guard let details = try log(partition).details(ofConsumer: name) else { continue }
      if let owner = details.owner { throw .consumerInUse(owner) }
      present.append(partition)
    }
    return present
  }

  /// Makes sure that the consumer has a position in each of the partitions, whichever member gets them.
  private func makePositions(
    of name: String, in partitions: [Int], _ start: StreamPosition, _ creating: Bool
  ) throws(ImmutaError) {
    for partition in partitions { try makePosition(of: name, in: partition, start, creating) }
  }

  /// The same for one partition. Bounded: the process that makes it holds a lock, which is free once the position exists or the
  /// process has ended.
  private func makePosition(
    of name: String, in partition: Int, _ start: StreamPosition, _ creating: Bool
  ) throws(ImmutaError) {
    let log = try log(partition)
    for attempt in 1... {
      if let details = try log.details(ofConsumer: name) {
        if let fault = details.fault { throw fault }
        return
      }
      guard creating else { throw .consumerNotFound(name).of("\(partition)") }
      do throws(ImmutaError) {
        return try log.consumer(name, startingAt: start).close()
      } catch {
        // Another process makes it at this moment.
        guard case .consumerInUse = error, attempt < Self.makingAttempts else { throw error }
        usleep(Self.makingPause)
      }
    }
  }

  /// How often, and how many microseconds apart, to look for a position that another process is making: ten seconds, for a flush
  /// on a busy disk.
  private static var makingAttempts: Int { 10_000 }
  private static var makingPause: UInt32 { 1_000 }
}
