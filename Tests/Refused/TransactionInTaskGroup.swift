// refused: escaping closure captures 'inout' parameter 'transaction'
import Immuta

func appendFromAGroup(_ log: Log) async throws {
  try await log.transaction { transaction in
    try await withThrowingTaskGroup(of: Receipt.self) { group in
      group.addTask { try await transaction.append("x") }
      try await group.waitForAll()
    }
  }
}
