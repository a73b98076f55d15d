// Following logs that another process has yet to make.

extension Storage {
  /// Opens namespaces for reading only, as soon as the directory and all of the namespaces exist: for a program that may be
  /// started before the one that appends.
  ///
  /// ```swift
  /// let storage = try await Storage.whenPresent(directory: "./shop", namespaces: ["orders"])
  /// for try await record in storage.stream("orders", from: .beginning) { print(record.text) }
  /// ```
  ///
  /// Looks ten times a second, and makes nothing. It waits for as long as it takes, also for a name that is mistyped: cancel the
  /// task to end it. Each look opens the namespaces in their order, up to the first that is missing, on the caller's thread: name
  /// large logs last.
  ///
  /// - Parameters:
  ///   - directory: where the other process makes the logs.
  ///   - namespaces: all that are waited for; at least one.
  ///   - configuration: how they are read; its access is taken as `.readOnly`.
  /// - Throws: `CancellationError`; as `init(directory:namespaces:configuration:)`, but for what does not exist.
  public static func whenPresent(
    directory: String = "./logs", namespaces: [String], configuration: Configuration = .init()
  ) async throws -> Storage {
    let configuration = try configuration.with(.readOnly)
    while true {
      do throws(ImmutaError) {
        return try Storage(directory: directory, namespaces: namespaces, configuration: configuration)
      } catch {
        guard error.isOfNothingThere else { throw error }
      }
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}

extension ImmutaError {
  /// Whether it says that a namespace, or the directory, does not exist.
  fileprivate var isOfNothingThere: Bool {
    switch self {
    case .namespaceNotFound: true
    case .io(ErrorNumber.notFound, "open", _): true
    default: false
    }
  }
}
