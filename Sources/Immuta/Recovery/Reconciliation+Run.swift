extension Reconciliation {
  mutating func run() throws(ImmutaError) -> Outcome {
    do throws(ImmutaError) {
      let outcome = try found()
      assert(outcome.end <= fileSize && outcome.kept <= outcome.count, "records lie in the file")
      return outcome
    } catch .corrupted(var damage) {
      if try mayBeOfAnotherFormat() {
        damage.possibleFormat = .v1
      } else if try evidence() == .none {
        damage = try noLog()
      }
      throw .corrupted(damage)
    }
  }

  private mutating func found() throws(ImmutaError) -> Outcome {
    if let file = disk.companion { try origin?.check(&log, &companion, (path, file.path)) }
    switch RecoveryCourse(companionHeader, header, format, fileSize: fileSize) {
    case .refused(let contradiction): throw corrupted(.header, "its header is damaged: \(contradiction)")
    case .closed(let promised): return try closed(promised: promised)
    case .crashed(let stable): return try crashed(stable: stable)
    case .withoutCompanion(let count):
      var outcome = try extended(from: start, through: count, keepingEntries: true)
      outcome.makeAgain(from: start, keptBelow: .max)
      // These bytes may have been promised, so they are kept unless they are reserved space.
      if header != nil, outcome.end < fileSize, try !log.isBlank(from: outcome.end) {
        outcome.tail = .keptWhole
        outcome.add(
          note:
            "has \(Quantity.bytes(fileSize - outcome.end)) after its last record that belong to no record, which opening "
            + "for appending cuts off and keeps beside it")
      }
      return outcome
    }
  }
}
