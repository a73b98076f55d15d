#if JetStream
  import Immuta

  /// Where a delivered message lies in its stream: what its reply subject says.
  struct DeliveryPlace: Hashable, Sendable {
    /// The consumer that delivers it.
    let consumer: Substring
    let sequence: Int
    let timestamp: Timestamp

    /// From `$JS.ACK.<stream>.<consumer>.<deliveries>.<place in the stream>.<place in the consumer>.<time>.<pending>`; newer servers put the
    /// domain and the account before the stream, and may put more at the end. Nil for anything else. O(length).
    init?(_ subject: String) {
      let parts = subject.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      guard parts.count >= 9, parts[0].elementsEqual("$JS".utf8), parts[1].elementsEqual("ACK".utf8) else { return nil }
      let first = parts.count >= 11 ? 7 : 5
      guard let place = Int(Substring(parts[first])), place > 0, let time = Int64(Substring(parts[first + 2])) else {
        return nil
      }
      consumer = Substring(parts[first - 2])
      sequence = place - 1
      timestamp = Timestamp(nanosecondsSince1970: time)
    }
  }
#endif
