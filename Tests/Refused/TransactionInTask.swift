// refused: escaping closure captures 'inout' parameter 'transaction'
import Immuta

func appendFromATask(_ storage: Storage) async throws {
  try await storage.transaction(in: "events") { transaction in
    Task { try await transaction.append("x") }
  }
}
