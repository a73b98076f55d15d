import Immuta

/// The engine's error that a call throws; nil where it throws none, or another one.
func error(_ body: () async throws -> Void) async -> ImmutaError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? ImmutaError
  }
}
