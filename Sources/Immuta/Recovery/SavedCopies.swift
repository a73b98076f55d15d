/// The names of the copies that are kept beside a log before bytes are cut off or replaced: they end in `.saved-` and a number,
/// which is the present moment.
package enum SavedCopies {
  /// The suffix of the copies that are made now. No copy has it already, even if the clock stands still: an older copy is never
  /// replaced. The caller has the log's lock.
  static func suffix(_ files: LogFiles) throws(ImmutaError) -> String {
    try suffix(files, at: Clocks.wallClock())
  }

  package static func suffix(_ files: LogFiles, at moment: Int64) throws(ImmutaError) -> String {
    var number = moment
    while try isUsed(number, files) { number = number == .max ? 0 : number + 1 }
    return suffix(number)
  }

  static func header(_ files: LogFiles, _ suffix: String) -> String { "\(files.log).header.\(suffix)" }
  package static func tail(_ files: LogFiles, _ suffix: String) -> String { "\(files.log).tail.\(suffix)" }
  static func companion(_ files: LogFiles, _ suffix: String) -> String { "\(files.companion).\(suffix)" }

  private static func suffix(_ number: Int64) -> String { "saved-\(number)" }

  private static func isUsed(_ number: Int64, _ files: LogFiles) throws(ImmutaError) -> Bool {
    let suffix = suffix(number)
    for name in [header(files, suffix), tail(files, suffix), companion(files, suffix)] {
      if try io(files.directory.status(of: name) != nil) { return true }
      if try io(files.directory.status(of: Descriptor.unfinished(name)) != nil) { return true }
    }
    return false
  }
}
