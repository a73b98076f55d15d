import Immuta
import ImmutaTestSupport
import Testing

/// Positions that come from outside.
@Suite struct PositionTests {
  @Test(arguments: [
    ("0", 0), ("5", 5), ("007", 7), ("9223372036854775807", Int.max), ("-5", nil), ("", nil), ("+5", nil), (" 5", nil),
    ("5 ", nil), ("9223372036854775808", nil), ("5.0", nil), ("٥", nil), ("0x5", nil), ("beginning", nil),
  ])
  func textIsAPositionOrNone(text: String, count: Int?) {
    #expect(StreamPosition(text) == count.map { .skipping($0) })
    #expect(StreamPosition(text[...]) == count.map { .skipping($0) })
  }

  @Test func aNegativeNumberIsNoPosition() {
    #expect(StreamPosition(skipping: -1) == nil)
    #expect(StreamPosition(skipping: .min) == nil)
    #expect(StreamPosition(skipping: 0) == .skipping(0))
    #expect(StreamPosition(skipping: .max) == .skipping(.max))
  }

  @Test func aStreamIsMovedOrStays() async throws {
    let open = try await OpenLog(5)
    defer { open.close() }
    var stream = open.log.stream()
    try stream.move(to: 3)
    #expect(try await stream.next()?.sequence == 3)
    #expect(throws: ImmutaError.recordNotFound(-5)) { try stream.move(to: -5) }
    #expect(try await stream.next()?.sequence == 4)
  }
}
