/// What files looked like when they were found damaged, or when their COUNT was found to be wrong: another look is worthwhile
/// once they look different.
struct Appearance: Equatable {
  private let size: Int
  private let modified: Int64
  private let generation: UInt64?

  init(_ log: Descriptor, _ companion: Descriptor?) throws(ImmutaError) {
    self.init(try io(log.status()), try companion?.companionHeader())
  }

  init(_ log: SystemCalls.Status, _ companion: CompanionHeader?) {
    (size, modified) = (log.size, log.modified)
    generation = companion?.generation
  }
}

/// A COUNT that was found to be wrong, and what the files looked like before that was found out.
///
/// A writer that recovers the log cuts COUNT back, and then writes a header of the companion, before it appends. So COUNT
/// can be the same once more and right by then, but the files do not look the same.
struct Disbelief: Equatable {
  let count: Int
  let appearance: Appearance
}
