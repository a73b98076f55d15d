/// Where a stream begins.
@nonexhaustive
public enum StreamPosition: Hashable, Sendable {
  /// With the first record of the log.
  case beginning
  /// With the first record that is committed after the call that made the stream.
  case latest
  /// With the record of this number, even if it has not been written yet: the first n records are skipped. At least 0.
  case skipping(Int)
  /// With the record of this number, which was written already, or is the next to be: one beyond that, or a negative one,
  /// is thrown by the stream's first `next()`. For numbers that were kept, or come from outside.
  case sequence(Int)
  /// The same, in the log that the position names: another log's is thrown, too.
  case position(Position)
  /// With the last n records that there are when the call is made that makes the stream; with all of them where there are
  /// fewer. At least 0; 0 is ``latest``.
  case last(Int)

  /// The position after `count` records, where the number comes from outside; nil for a negative one.
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
