import Immuta

extension CatOptions {
  /// Opens what is printed. With `--follow`, what does not exist yet is waited for, as `tail -F` waits for its file.
  ///
  /// - Parameter name: what it is, for people.
  /// - Returns: what was opened, and whether it had to be waited for: then all that is in it has come since.
  /// - Throws: what `open` throws, other than that something does not exist; that, too, without `--follow`, or when the
  ///   time of `--until` is over.
  @MainActor func open<Opened>(
    _ name: String, _ open: () throws -> Opened
  ) async throws -> (opened: Opened, hasAppeared: Bool) {
    var hasWaited = false
    while true {
      do {
        return (try open(), hasWaited)
      } catch {
        guard follow, Self.isMissing(error) else { throw error }
        if let until, until <= Moment.now { throw error }
        if !hasWaited {
          // A user who mistyped the name would wait for ever.
          let suggestion = Self.suggestion(in: error).asked(after: "; ")
          Failure.say("\(name) does not exist yet: waiting for it\(suggestion)")
          System.exitOnceAbandoned()
        }
        hasWaited = true
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  /// Whether an error says that a log, a store or its directory does not exist.
  private static func isMissing(_ error: any Error) -> Bool {
    switch error {
    case let error as ToolError: error.isMissing
    case let error as ImmutaError: error.missingPath != nil
    default: false
    }
  }

  private static func suggestion(in error: any Error) -> Suggestion? {
    switch error {
    case let error as ToolError: error.suggestion
    case let error as ImmutaError: error.missingPath.flatMap { Suggestion(forPath: $0, isDirectory: true) }
    default: nil
    }
  }
}
