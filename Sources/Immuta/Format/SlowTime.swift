/// How times are written while the system's clock is before them.
///
/// Times never go down within a log. So one record that was committed while the clock was wrong, years ahead, would keep all
/// later records from having times of their own. Instead time goes on slowly from there, a second for each ``factor`` of the
/// clock's: so the clock catches up, hardly later than if time had stood still, and the clock's time for each record can be
/// computed from the record's time.
package struct SlowTime: Hashable, Sendable {
  /// The first record with such a time.
  package var first: Int
  /// The first record after them; nil while it lasts.
  package var end: Int?
  /// The time of the first record, a nanosecond after the one before it, and the clock's time then.
  package var time: Int64
  package var clock: Int64

  package init(first: Int, end: Int? = nil, time: Int64, clock: Int64) {
    self.first = first
    self.end = end
    self.time = time
    self.clock = clock
  }

  /// How much faster than time the clock is.
  package static var factor: Int64 { 1024 }

  package var lasts: Bool { end == nil }

  package func covers(_ record: Int) -> Bool { record >= first && record < end ?? .max }

  /// The time of a record that is committed when the clock says this, at or after `clock`.
  package func time(at clock: Int64) -> Int64 {
    time.addingHeld(clock.subtractingHeld(self.clock) / Self.factor)
  }

  /// The clock's time, to a microsecond, when a record with this time was committed; nil if that does not fit 64 bits.
  package func clock(at time: Int64) -> Int64? {
    Int64(exactly: Int128(clock) + (Int128(time) - Int128(self.time)) * Int128(Self.factor))
  }
}
