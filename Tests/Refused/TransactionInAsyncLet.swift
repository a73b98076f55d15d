// refused: usage of a noncopyable type that compiler can't verify
import Immuta

func appendBesides(_ log: Log) async throws {
  try await log.transaction { transaction in
    async let receipt = transaction.append("x")
    _ = try await receipt
  }
}
