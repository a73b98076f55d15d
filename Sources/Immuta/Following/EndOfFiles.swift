/// What comes after a log's last readable segment: nothing, or files that are damaged, missing, or not part of the log.
struct EndOfFiles: Sendable {
  /// Files that have the names of later segments, and are none.
  let strays: Set<FileIdentity>
  /// Why the records there cannot be read, though there were some or may have been; nil where nothing says so.
  let damage: Corruption?
  /// The damaged files, as they looked; nil if their name alone shows the damage.
  private let broken: (files: LogFiles, looks: [Look?])?

  /// What a file looks like from outside; nil if it does not exist.
  private struct Look: Equatable {
    let identity: FileIdentity
    let size: Int
    let modified: Int64
  }

  init(strays: Set<FileIdentity>, damage: Corruption?, broken: LogFiles?) throws(ImmutaError) {
    (self.strays, self.damage) = (strays, damage)
    if let broken { self.broken = (broken, try Self.looks(of: broken)) } else { self.broken = nil }
  }

  private static func looks(of files: LogFiles) throws(ImmutaError) -> [Look?] {
    var looks: [Look?] = []
    for name in [files.log, files.companion] {
      let status = try io(files.directory.status(of: name))
      looks.append(status.map { Look(identity: $0.identity, size: $0.size, modified: $0.modified) })
    }
    return looks
  }

  /// Whether the damaged files look as they did: others may be read. O(1); no call where nothing is damaged.
  func isAsFound() throws(ImmutaError) -> Bool {
    guard let broken else { return true }
    return try Self.looks(of: broken.files) == broken.looks
  }
}
