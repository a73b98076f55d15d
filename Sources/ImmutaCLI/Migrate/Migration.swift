import Immuta

/// One source, and its target.
struct Migration {
  private let source: any MigrationSource
  private let target: MigrationTarget

  private let skipped: SkippedLines

  init(_ source: any MigrationSource, _ target: MigrationTarget, _ skipped: SkippedLines) {
    self.skipped = skipped
    self.source = source
    self.target = target
  }

  /// Appends the missing records, and returns how many they were; all of them are stable then.
  func run() throws -> Int {
    let progress = Progress("migrating \(source.name)")
    defer { progress.finish() }
    var appended = 0
    do {
      try forEachRecord(progress) { if $0 { appended += 1 } }
      try target.checkNothingIsLeft()
    } catch {
      // What was appended stays, for the next time.
      try? target.sync()
      throw error
    }
    try target.sync()
    return appended
  }

  /// Compares every record with the source's, and checks it; returns how many there are.
  @MainActor func verify() async throws -> Int {
    let progress = Progress("verifying \(source.name)")
    defer { progress.finish() }
    try source.rewind()
    skipped.reset()
    target.rewind()
    var count = 0
    try forEachRecord(progress) { isNew in
      count += 1
      if isNew { throw ToolError("\(source.name) got more records meanwhile: migrate again") }
    }
    try target.checkNothingIsLeft()
    try await target.verify()
    return count
  }

  private func forEachRecord(_ progress: Progress, _ body: (_ isNew: Bool) throws -> Void) throws {
    try target.begin(with: source)
    var count = 0
    while try source.next({ if let isNew = try target.accept($0, from: source.place) { try body(isNew) } }) {
      count += 1
      if count % 256 == 0 {
        try Interruption.check()
        let (done, total) = source.progress
        progress.update(done, of: total)
      }
    }
  }
}
