/// How many records several logs had at one moment, so that each step over some of them is whole or absent: from numbers that
/// were read one after the other, and the intents of steps that were read before and after. Pure.
///
/// Steps with one first log follow each other: when one is decided on, the one before is done, and its consumer has moved. A
/// file of intents has the last two. So where no more than two were decided on between the first look and the last, all are
/// known that may have been under way while the numbers were read; those before were done.
///
/// A step that is not whole in what was read is left out of all of its logs, with what came after it. Whoever has its turns
/// then had them until it was done: a step that came after it in one of the logs is left out with it by the same rule.
struct StepCut: Sendable {
  /// The intents that were found: by the files' names, and by their generations.
  typealias Seen = [String: [UInt64: StepIntent]]

  /// A consumer of a log.
  struct Consumer: Hashable, Sendable {
    var namespace: String
    var name: String
  }

  /// A position, and of which generation it is.
  struct Position: Hashable, Sendable {
    var mark: ConsumerMark
    var generation: UInt64
  }

  /// How many records each log has.
  private(set) var counts: [String: Int]
  /// The positions, where a step that is whole has moved them, too.
  private(set) var positions: [Consumer: Position]

  /// - Parameters:
  ///   - identities: whose logs they are, as far as it is known.
  ///   - counts: by the logs' names.
  ///   - positions: read before the counts, and after `before`; nil for a consumer that is not there.
  ///   - before: read before all of them.
  ///   - after: read after all of them.
  ///   - boot: of this run of the machine.
  /// - Returns: nil where steps may have gone by that are not known, or have moved consumers whose positions are not given.
  init?(
    _ identities: [String: LogIdentity], counts: [String: Int], positions: [Consumer: Position?], before: Seen,
    after: Seen, boot: UInt64
  ) {
    guard let steps = Self.known(before, after) else { return nil }
    self.counts = counts
    self.positions = positions.compactMapValues(\.self)
    let counted = steps.filter { $0.isStable || ($0.bootIdentity != 0 && $0.bootIdentity == boot) }
    leaveOut(counted, identities)
    for step in counted where isWhole(step, identities) {
      for part in step.consumers where counts[part.namespace] != nil {
        let consumer = Consumer(namespace: part.namespace, name: part.consumer)
        guard positions[consumer] != nil else { return nil }
        guard var position = self.positions[consumer], part.isToMove(position.mark, position.generation) else {
          continue
        }
        (position.mark.last, position.mark.stable) = (part.place, part.place)
        position.generation = TwoSlots.next(after: part.generation)
        self.positions[consumer] = position
      }
    }
  }

  /// The consumers that steps have moved.
  static func consumers(in seen: Seen) -> Set<Consumer> {
    Set(
      seen.values.flatMap(\.values).flatMap(\.consumers).map { Consumer(namespace: $0.namespace, name: $0.consumer) })
  }

  /// All steps that may have been under way, in the order of each file; nil where some are not known.
  private static func known(_ before: Seen, _ after: Seen) -> [StepIntent]? {
    // A file goes once all that it says is done, and may be made again.
    for name in before.keys where after[name] == nil { return nil }
    var steps: [StepIntent] = []
    for (name, found) in after.sorted(by: { $0.key < $1.key }) {
      // A new file begins with generation 1.
      let past = before[name] ?? [:]
      let last = newest(past.keys) ?? 0
      let now = newest(found.keys) ?? 0
      guard TwoSlots.isNewer(now, than: last) || now == last, now &- last <= 2 else { return nil }
      var generation = last
      while generation != now {
        generation = TwoSlots.next(after: generation)
        if found[generation] == nil { return nil }
      }
      // One that was withdrawn makes room for another one of its generation.
      let all = past.merging(found) { _, new in new }
      steps += all.sorted { TwoSlots.isNewer($1.key, than: $0.key) }.map(\.value)
    }
    return steps
  }

  private static func newest(_ generations: some Sequence<UInt64>) -> UInt64? {
    generations.max { TwoSlots.isNewer($1, than: $0) }
  }

  /// The parts of a step in logs that are counted.
  private func parts(_ step: StepIntent, _ identities: [String: LogIdentity]) -> [StepIntent.LogPart] {
    step.logs.filter { part in
      counts[part.namespace] != nil && identities[part.namespace].map { $0 == part.identity } ?? true
    }
  }

  private func isWhole(_ step: StepIntent, _ identities: [String: LogIdentity]) -> Bool {
    parts(step, identities).allSatisfy { counts[$0.namespace] ?? 0 >= $0.counts.upperBound }
  }

  /// Leaves out what is not whole, until all that is left is.
  private mutating func leaveOut(_ steps: [StepIntent], _ identities: [String: LogIdentity]) {
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for step in steps where !isWhole(step, identities) {
        for part in parts(step, identities) {
          guard let count = counts[part.namespace], count > part.counts.lowerBound else { continue }
          counts[part.namespace] = part.counts.lowerBound
          hasChanged = true
        }
      }
    }
  }
}

extension StepCut {
  /// The intents in a directory, as they are now. O(files of intents).
  ///
  /// - Throws: `.unsupportedVersion`, `.foreignOwner`, `.io`.
  static func seen(in directory: Directory, _ trust: FileTrust) throws(ImmutaError) -> Seen {
    guard let folder = try io(trust.folder(IntentFile.folderName, in: directory)) else { return [:] }
    var seen: Seen = [:]
    for name in try io(folder.names()) where FileName.isValid(name) {
      guard let file = try io(folder.openIfPresent(name, .read)) else { continue }
      var intents: [UInt64: StepIntent] = [:]
      for found in try IntentFile.whole(in: file) { intents[found.generation] = found.intent }
      seen[name] = intents
    }
    return seen
  }
}
