extension Storage {
  /// Makes an empty log whose first record gets the number `first`, as if those before it had been removed.
  ///
  /// - Precondition: `first` is at least 1, and the configuration's format is not `.bilog`.
  /// - Throws: `.duplicateNamespace` where a log has that name, `.corrupted` where one was lost, `.locked`, `.foreignOwner`,
  ///   `.invalidNamespace`, `.io`.
  package static func begin(
    _ namespace: String, at first: Int, in directory: String, _ configuration: Configuration
  ) throws(ImmutaError) {
    precondition(first > 0 && configuration.format != .bilog, "every log begins with record 0 by itself")
    guard isValidNamespace(namespace) else { throw .invalidNamespace(namespace) }
    try configuration.check()
    // Makes the directory where it is missing.
    let storage = try Storage(opening: directory, configuration: configuration)
    defer { storage.close() }
    try LogBeginning(
      files: configuration.files(of: namespace, in: storage.place), format: configuration.format ?? .v2,
      codecName: configuration.codecName,
      trust: FileTrust(in: storage.place, acceptsFilesOfOthers: configuration.acceptsFilesOfOthers)
    ).run(first: first)
  }
}
