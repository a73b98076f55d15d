/// What readers of a log use: its records, and where their entries are.
struct ReadableLog {
  enum Entries {
    /// The companion has all of them, and will have those to come.
    case inCompanion
    /// They are made from the log where the companion does not have them.
    case walked(WalkedEntries)
    /// The log is so damaged that its header says nothing: only the companion says which records there are.
    case onlyInCompanion
  }

  var count: Int
  /// Where the last record ends.
  var end: Int
  var lastTime: Int64
  var entries: Entries
  /// A COUNT that was found to be wrong: it is ignored until a writer has changed the files.
  var disbelieved: Disbelief?
  /// A note for people about the log, as “it …”.
  var note: String?
  /// Damage that was passed over.
  var damage: Corruption?
}
