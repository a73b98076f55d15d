import Immuta

/// Logs of the old format that cannot be told from damaged ones of the current.
enum OldFormat {
  /// Whether nothing decides which format a log has, and it is whole and has records as one of the old.
  static func isPossible(_ namespace: String, in directory: String) -> Bool {
    // A log that is certainly of another format is refused.
    if case .failure(.invalidConfiguration) = count(namespace, in: directory, as: .v2) { return false }
    guard case .success(let count) = count(namespace, in: directory, as: .v1) else { return false }
    return count > 0
  }

  private static func count(
    _ namespace: String, in directory: String, as format: LogFormat
  ) -> Result<Int, ImmutaError> {
    var configuration = Storage.Configuration()
    configuration.access = .readOnly
    configuration.format = format
    return Result { () throws(ImmutaError) in
      let storage = try Storage(directory: directory, namespaces: [namespace], configuration: configuration)
      defer { storage.close() }
      return try storage.log(namespace).count
    }
  }

  /// Calls `body`, which opens logs, and where that finds one damaged and no format was given, says which option there is
  /// for one of the old format.
  static func advising<Result>(
    _ namespaces: [String], in directory: String, given format: LogFormatOption?, option: String,
    _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch ImmutaError.corrupted(var corruption) where format == nil && corruption.sequence == nil {
      let damaged = namespaces.first { corruption.path.hasSuffix("/\($0).log") }
      if let damaged, isPossible(damaged, in: directory) {
        corruption.reason += "; it could be a whole log of the old format, v1: if it is, give \(option) v1"
      }
      throw ImmutaError.corrupted(corruption)
    }
  }
}
