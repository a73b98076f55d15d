extension Reconciliation {
  /// What was found: the records, and what in the files does not match them.
  struct Outcome {
    var count: Int
    /// End of the last record.
    var end: Int
    var lastIndex: Int
    var lastTime: Int64
    var entries: Entries
    var tail = Tail.nothing
    /// How many of all entries were made from the log's bytes, rather than written when their records were committed.
    var madeCount = 0
    /// Records that COUNT includes and a crash took back: they were never promised to be stable.
    var lost = 0

    /// A note for people about the log, as “it …”, if any.
    var note: String?
    /// Damage that was passed over: the records it is in throw when they are read.
    var damage: Corruption?

    /// What to do with the companion's entries.
    enum Entries: Equatable {
      /// They stay, and so does everything else: the log was closed, and nothing has happened to it since.
      case closed
      /// The entries of all records stay; others are removed.
      case whole
      /// The first ones stay as they are; the others are made.
      case extended(kept: Int, Making)
      /// The companion is made again, from the first entry on.
      case madeAgain(Making)
    }

    /// The records from one on get entries, made from the log's bytes; whole entries of the companion are kept.
    struct Making: Equatable {
      var start: Cursor
      /// Entries of records below this number are kept if they are whole.
      var keptBelow: Int
    }

    /// What to do with the bytes after the last record, which are cut off.
    enum Tail: Equatable {
      /// Nothing: nobody was promised anything that is in them.
      case nothing
      /// A copy is kept: they may be another program's records, or stable ones. To a place, or to the end of the file.
      case kept(through: Int?)

      static let keptWhole = Tail.kept(through: nil)
    }

    /// The companion's first entries that can stay as they are.
    var kept: Int {
      switch entries {
      case .closed, .whole: count
      case .extended(let kept, _): kept
      case .madeAgain: 0
      }
    }

    /// How to make the entries that follow the kept ones; nil if none have to be made. See
    /// ``Reconciliation/entries(of:from:_:)``.
    var making: Making? {
      switch entries {
      case .closed, .whole: nil
      case .extended(_, let making), .madeAgain(let making): making
      }
    }

    var isClosed: Bool { entries == .closed }

    /// Whether every entry is made, or at least looked at again.
    var makesAll: Bool { making?.start.number == 0 }

    /// The companion is made again instead of extended; entries below a number that are whole are kept.
    mutating func makeAgain(from start: Cursor, keptBelow: Int) {
      precondition(start.number == 0, "a companion is made again from the first record on")
      entries = .madeAgain(Making(start: start, keptBelow: keptBelow))
    }

    mutating func add(note more: String) {
      note = note.map { "\($0); \(more)" } ?? more
    }
  }
}
