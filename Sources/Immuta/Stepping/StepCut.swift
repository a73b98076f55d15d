/// How many records several logs had at one moment, so that each step over some of them is whole or absent. It is computed from
/// counts that were read one after the other, and the intents of all steps that may have been under way meanwhile. Pure.
///
/// Steps with the same first log follow each other: when one is decided on, the one before it is done, and its consumer has
/// moved.
///
/// A step that is not whole in what was read is left out of all of its logs, together with all later records. Its process had the
/// turns of the logs until the step was done, so a later step in one of the logs is left out with it by the same rule. A later
/// step of the same consumer is left out, too, and so is one that has read a record that is left out.
struct StepCut: Sendable {
  /// A consumer of a log.
  struct Consumer: Hashable, Sendable {
    var namespace: String
    var name: String
  }

  /// A position, and its generation.
  struct Position: Hashable, Sendable {
    var mark: ConsumerMark
    var generation: UInt64
  }

  /// How many records each log has.
  private(set) var counts: [String: Int]
  /// The positions, where a step that is whole has moved them, too.
  private(set) var positions: [Consumer: Position]

  /// - Parameters:
  ///   - identities: the identities of the logs, as far as they are known.
  ///   - counts: by the logs' names.
  ///   - positions: of all consumers of these logs, read before the counts.
  ///   - steps: all that may have been under way from before the positions were read until after the counts were.
  ///   - boot: of this run of the machine.
  /// - Returns: nil if a position belongs to a step that must be left out.
  init?(
    _ identities: [String: LogIdentity], counts: [String: Int], positions: [Consumer: Position],
    steps: StepWatch.Intents, boot: UInt64
  ) {
    (self.counts, self.positions) = (counts, positions)
    // The steps of one file in the order in which they were decided on.
    let counted = steps.sorted { $0.key < $1.key }.flatMap { _, intents in
      intents.sorted { TwoSlots.isNewer($1.key, than: $0.key) }.map(\.value)
    }.filter { $0.isStable || ($0.bootIdentity != 0 && $0.bootIdentity == boot) }
    let absent = leaveOut(counted, identities)
    for (number, step) in counted.enumerated() {
      for part in step.consumers {
        let consumer = Consumer(part)
        guard var position = self.positions[consumer], position.mark.made == part.made else { continue }
        if absent.contains(number) {
          guard part.isToMove(positions[consumer] ?? position) else { return nil }
        } else if part.isToMove(position) {
          (position.mark.last, position.mark.stable) = (part.place, part.place)
          position.generation = TwoSlots.next(after: part.generation)
          self.positions[consumer] = position
        }
      }
    }
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

  /// Whether the logs have the records that a step has read.
  private func hasRead(_ step: StepIntent) -> Bool {
    step.consumers.allSatisfy { part in
      guard let count = counts[part.namespace], positions[Consumer(part)]?.mark.made == part.made else { return true }
      return count >= part.place.number
    }
  }

  /// Leaves out steps that are not whole, until all remaining ones are.
  ///
  /// - Returns: which of the steps are left out.
  private mutating func leaveOut(_ steps: [StepIntent], _ identities: [String: LogIdentity]) -> Set<Int> {
    var absent: Set<Int> = []
    /// For each consumer, the generation of its position before the first step that is left out.
    var stopped: [Consumer: (made: UInt64, generation: UInt64)] = [:]
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for (number, step) in steps.enumerated() where !absent.contains(number) {
        let comesAfter = step.consumers.contains { part in
          guard let stop = stopped[Consumer(part)], stop.made == part.made else { return false }
          return TwoSlots.isNewer(part.generation, than: stop.generation)
        }
        if !comesAfter, isWhole(step, identities), hasRead(step) { continue }
        absent.insert(number)
        hasChanged = true
        for part in parts(step, identities) {
          counts[part.namespace] = min(counts[part.namespace] ?? 0, part.counts.lowerBound)
        }
        for part in step.consumers {
          let stop = stopped[Consumer(part)]
          if let stop, stop.made == part.made, !TwoSlots.isNewer(stop.generation, than: part.generation) { continue }
          stopped[Consumer(part)] = (part.made, part.generation)
        }
      }
    }
    return absent
  }
}

extension StepCut.Consumer {
  fileprivate init(_ part: StepIntent.ConsumerPart) { self.init(namespace: part.namespace, name: part.consumer) }
}

extension StepIntent.ConsumerPart {
  fileprivate func isToMove(_ position: StepCut.Position) -> Bool { isToMove(position.mark, position.generation) }
}
