/// Places in a log where records begin: from the mark before a record, the size fields lead to it, and on to the next mark. If
/// they don't, the file was changed.
///
/// There are at most ``most`` of them, however many records there are. Where there would be more, the older half is
/// thinned out, so the way from a mark to a record gets longer only once a log has many millions of records.
struct EntryMarks {
  /// A record, as far as its place says.
  struct Mark: Hashable {
    var number: Int
    var index: Int
    /// When it was committed, in nanoseconds since 1970.
    var time: Int64
    /// Of how it begins: see ``LogScanner/trace(at:size:)``. Nil for the end of the last record.
    var trace: UInt32?

    init(number: Int, index: Int, time: Int64, trace: UInt32? = nil) {
      (self.number, self.index, self.time, self.trace) = (number, index, time, trace)
    }

    init(_ place: RecordPlace, time: Int64, trace: UInt32) {
      self.init(number: place.number, index: place.index, time: time, trace: trace)
    }
  }

  /// In order.
  private(set) var marks: [Mark] = []
  /// Records from one mark to the next, unless they are large, or there is a reason for one before.
  private var stride = firstStride

  private static var firstStride: Int { 64 }
  /// As many as eight million records need: four megabytes.
  static var most: Int { 1 << 23 / firstStride }
  /// Bytes from one mark to the next, for each record of the stride.
  private static var bytesPerRecord: Int { 16 << 10 }

  /// A record that comes after all that have a mark gets one from this number on, or from this place on.
  var next: (number: Int, index: Int) {
    marks.last.map { ($0.number + stride, $0.index + stride * Self.bytesPerRecord) } ?? (0, 0)
  }

  /// Whether a record that comes after all that have a mark gets one.
  func isDue(_ place: RecordPlace) -> Bool { place.number >= next.number || place.index >= next.index }

  private func isFar(_ last: Mark, _ number: Int, _ index: Int) -> Bool {
    number - last.number >= stride || index - last.index >= stride * Self.bytesPerRecord
  }

  mutating func append(_ mark: Mark) {
    precondition(marks.last.map { $0.number < mark.number && $0.index < mark.index } ?? true, "marks are in order")
    marks.append(mark)
    if marks.count >= Self.most { thin() }
  }

  /// Forgets the marks of records from a number on.
  mutating func cut(to count: Int) {
    while let last = marks.last, last.number >= count { marks.removeLast() }
  }

  /// The position of the last mark that is not after a record; nil where there is none. O(log marks).
  func position(before number: Int) -> Int? {
    let after = marks.partitioningIndex { $0.number > number }
    return after == 0 ? nil : after - 1
  }

  /// First removes marks that are closer together than necessary; if that is not enough, the necessary distance grows.
  private mutating func thin() {
    let half = marks.count / 2
    while true {
      var kept: [Mark] = []
      for mark in marks[..<half] where kept.last.map({ isFar($0, mark.number, mark.index) }) ?? true {
        kept.append(mark)
      }
      if kept.count <= half / 2 {
        marks.replaceSubrange(..<half, with: kept)
        return
      }
      stride *= 2
    }
  }
}
