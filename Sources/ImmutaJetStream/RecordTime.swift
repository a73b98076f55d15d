#if JetStream
  import Immuta

  /// Times as the servers write them: `2026-11-26T20:30:06.873852084Z`.
  enum RecordTime {
    /// Nil where the text is no such time. O(1).
    static func parse(_ text: String) -> Timestamp? {
      let bytes = Array(text.utf8)
      guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
        bytes[10] == UInt8(ascii: "T"),
        bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":")
      else { return nil }
      func number(_ range: Range<Int>) -> Int64? {
        var value: Int64 = 0
        for byte in bytes[range] {
          guard (0x30...0x39).contains(byte) else { return nil }
          value = value * 10 + Int64(byte - 0x30)
        }
        return value
      }
      guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
        let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day),
        hour < 24, minute < 60, second <= 60
      else { return nil }
      var position = 19
      var nanoseconds: Int64 = 0
      if bytes[position] == UInt8(ascii: ".") {
        position += 1
        var digits = 0
        while position < bytes.count, let digit = number(position..<position + 1) {
          if digits < 9 { nanoseconds = nanoseconds * 10 + digit }
          digits += 1
          position += 1
        }
        for _ in min(digits, 9)..<9 { nanoseconds *= 10 }
      }
      guard let ahead = offset(bytes[position...]) else { return nil }
      let seconds = CivilDate.day(of: year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - ahead
      let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, overflowToo) = product.addingReportingOverflow(nanoseconds)
      return overflow || overflowToo ? nil : Timestamp(nanosecondsSince1970: sum)
    }

    /// Seconds that a zone is ahead: `Z`, or `+02:00`.
    private static func offset(_ text: ArraySlice<UInt8>) -> Int64? {
      let bytes = Array(text)
      if bytes == [UInt8(ascii: "Z")] { return 0 }
      guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"),
        let hours = Int64(String(decoding: bytes[1..<3], as: UTF8.self)),
        let minutes = Int64(String(decoding: bytes[4..<6], as: UTF8.self)), hours >= 0, minutes >= 0
      else { return nil }
      let seconds = hours * 3600 + minutes * 60
      return switch bytes[0] {
      case UInt8(ascii: "+"): seconds
      case UInt8(ascii: "-"): -seconds
      default: nil
      }
    }
  }
#endif
