import Immuta

/// The partitions that a consumer has, and whose turn it is.
struct Holdings {
  private struct Held {
    let consumer: Consumer
    /// It is given up once all that was delivered of it is acknowledged. Nothing more is delivered until then.
    var isLeaving = false
  }

  private var held: [Int: Held] = [:]
  /// Their numbers, in order.
  private(set) var partitions: [Int] = []
  /// The place, among them, of the one that is taken from next, and how many were taken from it in a row.
  private var turn = 0
  private var inRow = 0
  /// For each partition that it had before, where it was given up: everything before that is acknowledged.
  private var givenUp: [Int: Int] = [:]
  /// What is wrong with partitions that it could have: each is thrown once.
  private var faults: [ImmutaError] = []
  /// Why it ended.
  private(set) var ending: ImmutaError?

  /// So many messages are taken from a partition before another has its turn; of batches, one.
  static let mostInRow = 64

  var count: Int { held.count }

  func has(_ partition: Int) -> Bool { held[partition] != nil }

  /// False where it has ended: then the partition is not kept.
  mutating func add(_ partition: Int, _ consumer: Consumer) -> Bool {
    if ending != nil { return false }
    held[partition] = Held(consumer: consumer)
    partitions = held.keys.sorted()
    return true
  }

  /// The faults that the last look found; faults of the look before that nobody got are dropped.
  mutating func note(_ faults: [ImmutaError]) { self.faults = faults }

  // MARK: Taking

  /// What comes next of a partition: of one after the other, so that none waits for long.
  ///
  /// - Parameter most: how often in a row it is the same one's.
  mutating func take<Taken>(
    most: Int = Holdings.mostInRow, _ next: (Consumer) throws(ImmutaError) -> Taken?
  ) throws(ImmutaError) -> (partition: Int, taken: Taken)? {
    if let ending { throw ending }
    if let fault = faults.popLast() { throw fault }
    for _ in partitions.indices {
      turn %= partitions.count
      let partition = partitions[turn]
      if let held = held[partition], !held.isLeaving {
        do throws(ImmutaError) {
          if let taken = try next(held.consumer) {
            inRow += 1
            if inRow >= most { pass() }
            return (partition, taken)
          }
        } catch {
          // The others go on when somebody asks again.
          pass()
          throw error
        }
      }
      pass()
    }
    return nil
  }

  private mutating func pass() { (turn, inRow) = (turn + 1, 0) }

  /// Where messages of the partitions would come.
  var waiting: [RecordStream] { held.values.filter { !$0.isLeaving }.map(\.consumer.waiting) }

  // MARK: Acknowledging

  /// Whose position a message moves; nil where it was acknowledged before its partition was given up.
  ///
  /// - Throws: `.partitionNotHeld`, `.consumerClosed`, `.storageClosed`.
  func consumer(of partition: Int, through sequence: Int? = nil, for name: String) throws(ImmutaError) -> Consumer? {
    if let held = held[partition] { return held.consumer }
    if let ending { throw ending }
    if let sequence, let position = givenUp[partition], sequence < position { return nil }
    throw .partitionNotHeld(partition, consumer: name)
  }

  /// The consumers that it has.
  var consumers: [Consumer] { held.values.map(\.consumer) }

  /// Whether a partition could be given up now.
  func isDue(_ partition: Int) -> Bool { held[partition].map { $0.isLeaving && $0.consumer.isIdle } ?? false }

  // MARK: Giving up

  /// Has so many at most from now on.
  ///
  /// - Returns: the consumers that are given up, to be closed; and whether one is kept after all, so that callers that wait for
  ///   messages look again.
  mutating func keep(_ share: Int) -> (givenUp: [Consumer], isOneKept: Bool) {
    let leaving = GroupPlan.leaving(
      held.map { GroupPlan.Held(partition: $0, isIdle: $1.consumer.isIdle, isLeaving: $1.isLeaving) }, share: share)
    var isOneKept = false
    for partition in partitions {
      let stays = !leaving.contains(partition)
      if stays, held[partition]?.isLeaving ?? false { isOneKept = true }
      held[partition]?.isLeaving = !stays
    }
    return (leaving.filter { held[$0]?.consumer.isIdle ?? false }.compactMap { remove($0) }, isOneKept)
  }

  private mutating func remove(_ partition: Int) -> Consumer? {
    guard let consumer = held.removeValue(forKey: partition)?.consumer else { return nil }
    givenUp[partition] = consumer.position
    partitions = held.keys.sorted()
    return consumer
  }

  /// Ends it; the first reason counts. Returns what it had, to be closed.
  mutating func end(_ reason: ImmutaError) -> [Consumer] {
    ending = ending ?? reason
    return partitions.compactMap { remove($0) }
  }
}
