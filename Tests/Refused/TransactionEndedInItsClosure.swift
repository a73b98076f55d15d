// refused: missing reinitialization of inout parameter 'transaction' after consume
import Immuta

func commitTwice(_ log: Log) async throws {
  try await log.transaction { transaction in
    try await transaction.append("x")
    try await transaction.commit()
  }
}
