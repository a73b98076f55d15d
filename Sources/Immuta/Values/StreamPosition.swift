/// Where a stream begins.
@nonexhaustive
public enum StreamPosition: Hashable, Sendable {
  /// With the first record of the log.
  case beginning
  /// With the first record that is committed after the call that made the stream.
  case latest
  /// With the record of this sequence, even if it has not been written yet: the first n records are skipped. At least
  /// 0.
  case skipping(Int)
  /// With the record of this sequence, which was written already, or is the next one. If it is beyond that, or negative, the
  /// stream's first `next()` throws. For sequences that were saved, or come from outside.
  case sequence(Int)
  /// The same, in the log that the position names. If it is another log's, the first `next()` throws, too.
  case position(Position)
  /// With the last n records that exist at the call that makes the stream; with all of them if the log has fewer. At
  /// least 0; 0 is ``latest``.
  case last(Int)
  /// With the first record whose time is this moment or later; if none exists yet, with the first one that is committed from now
  /// on and is that late. A record's time is its ``Record/timestamp``. Where a clock was wrong, it is the clock's time when the
  /// record was committed, as far as that is known: see ``Log/sequence(at:)``.
  case time(Timestamp)

  /// The position after `count` records, for a number that comes from outside; nil for a negative one.
  public init?(skipping count: Int) {
    guard count >= 0 else { return nil }
    self = .skipping(count)
  }

  /// The position after as many records as the text says, for text from outside, such as a request's `Last-Event-ID`;
  /// nil for anything but decimal digits that make a number of 63 bits.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let count = Int(text) else {
      return nil
    }
    self = .skipping(count)
  }
}
