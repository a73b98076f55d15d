extension Reconciliation {
  /// What was found.
  struct Outcome {
    var count: Int
    /// End of the last record.
    var end: Int
    var lastIndex: Int
    var lastTime: Int64
    /// The companion's first entries that can stay as they are.
    var kept: Int
    /// What makes the entries that follow the kept ones; nil where there are none to be made. See
    /// ``Reconciliation/entries(of:from:_:)``.
    var making: Making?
    /// How many of all entries were made from the log's bytes, rather than written when their records were committed.
    var madeCount = 0
    /// Records that COUNT includes and a crash took back: they were never promised to be stable.
    var lost = 0
    /// Whether the log was closed, and nothing has happened to it since.
    var isClean = false
    /// Whether what is cut off may be another program's records, or stable ones, of which a copy must be kept.
    var savesTail = false
    /// Where those end, if that is known.
    var tailEnd: Int?
    /// Whether the companion must be made again rather than extended.
    var needsNewCompanion = false

    /// What to tell people, if anything: of the log, as “it …”.
    private(set) var note: String?
    /// Damage that was passed over: the records it is in throw when they are read.
    var damage: Corruption?

    /// The records from one on get entries, of the log's bytes, in which those of the companion that are whole are kept.
    struct Making {
      var start: Cursor
      /// Entries of records below this number are kept if they are whole.
      var keptBelow: Int
    }

    mutating func add(note more: String) {
      note = note.map { "\($0); \(more)" } ?? more
    }
  }
}
