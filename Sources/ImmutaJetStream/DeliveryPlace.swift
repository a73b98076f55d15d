#if JetStream
  import Immuta

  /// Where a delivered message lies in its stream, by its reply subject.
  struct DeliveryPlace: Hashable, Sendable {
    let sequence: Int
    let timestamp: Timestamp

    /// From `$JS.ACK.<stream>.<consumer>.<deliveries>.<place in the stream>.<place in the consumer>.<time>.<pending>`; newer servers put the
    /// domain and the account before the stream, and may put more at the end. Nil for anything else, and for what another consumer
    /// delivers. O(length), no allocation.
    init?(_ subject: some BidirectionalCollection<UInt8>, from consumer: String) {
      let dot = UInt8(ascii: ".")
      let count = subject.reduce(1) { $1 == dot ? $0 + 1 : $0 }
      if count < 9 { return nil }
      let hasDomain = count >= 11
      var rest = subject[...]
      func next() -> some Collection<UInt8> {
        let end = rest.firstIndex(of: dot) ?? rest.endIndex
        defer { rest = rest[end...].dropFirst() }
        return rest[..<end]
      }
      guard next().elementsEqual("$JS".utf8), next().elementsEqual("ACK".utf8) else { return nil }
      for _ in 0..<(hasDomain ? 3 : 1) { _ = next() }
      guard next().elementsEqual(consumer.utf8) else { return nil }
      _ = next()
      guard let place = Self.number(next()), place > 0 else { return nil }
      _ = next()
      guard let time = Self.number(next()) else { return nil }
      sequence = place - 1
      timestamp = Timestamp(nanosecondsSince1970: Int64(time))
    }

    /// What decimal digits say; nil where there is anything else, or more than a number holds.
    private static func number(_ digits: some Collection<UInt8>) -> Int? {
      var number = 0
      for digit in digits {
        guard case UInt8(ascii: "0")...UInt8(ascii: "9") = digit else { return nil }
        let (product, isTooMuch) = number.multipliedReportingOverflow(by: 10)
        let (sum, isTooMuchStill) = product.addingReportingOverflow(Int(digit & 15))
        if isTooMuch || isTooMuchStill { return nil }
        number = sum
      }
      return digits.isEmpty ? nil : number
    }
  }
#endif
